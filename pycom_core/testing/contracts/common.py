"""Common parts of the suites."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, ClassVar, Protocol, TypeVar, cast

import pytest

from pycom_core.backends import Guarantee
from pycom_core.loops._waiting import never_waits
from pycom_core.testing.clock import Clock


class Closable(Protocol):
    """The members of any backend that the suites need."""

    guarantees: ClassVar[Guarantee]

    async def close(self) -> None: ...


Backend = TypeVar("Backend", bound=Closable)
Result = TypeVar("Result")


class LeaseContract:
    """The passing of time, for the suites of backends that give leases."""

    #: Length of the leases that the suite takes, in seconds.
    ttl: ClassVar[float] = 60.0

    @pytest.fixture
    def clock(self) -> Clock:
        """The clock to make the backend with."""
        return Clock()

    async def advance(self, clock: Clock, seconds: float) -> None:
        """Let `seconds` pass for the backend. Sleep here if it keeps time elsewhere."""
        clock.advance(seconds)

    async def settle(self) -> None:
        """Wait until a write is seen by others, for backends that are not `LINEARIZABLE`."""


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make an ordinary test of an `async def` one, whatever pytest plugins are installed."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@contextlib.asynccontextmanager
async def opened(
    factory: Callable[[], Backend],
    claims: Guarantee = Guarantee.NONE,
    without_loop: Iterable[str] = (),
) -> AsyncIterator[Backend]:
    """Open a backend and close it in the end.

    Skips the test if it lacks the given guarantees, or if one of the methods `without_loop` awaits.
    """
    backend = factory()
    try:
        if claims not in backend.guarantees:
            pytest.skip(f"{type(backend).__name__} does not claim {claims}")
        for name in without_loop:
            if not never_waits(getattr(backend, name)):
                pytest.skip(f"{type(backend).__name__}.{name} awaits, and needs an event loop")
        yield backend
    finally:
        await backend.close()


def at_once(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Return the result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return cast("Result", stop.value)
    raise AssertionError("an `async def` without `await` has waited")


def in_threads(count: int, work: Callable[[int], object]) -> None:
    """Run `work(0)`, `work(1)`… each in a thread, all at one time; raises the error of any."""
    errors: list[Exception] = []
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait()
        try:
            work(number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
