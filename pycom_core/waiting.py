"""Waiting for what a method returned, without a Task where nothing has to wait."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from pycom_core.errors import DeadlineExceeded
from pycom_core.messages import Future, Response

EAGER_TASKS = sys.version_info >= (3, 12)


#: How the message that is being answered came to the server: when (s, of `time.monotonic()`), and
#: whether its caller keeps a thread of this process waiting, which a method may need to run in.
Delivery = tuple[float, bool]
#: Set where a message is answered, read at the steps of the corridor.
delivery: contextvars.ContextVar[Delivery] = contextvars.ContextVar("delivery")


async def settle(value: Any, deadline: float | None = None) -> Any:
    """The value itself, or what an awaitable or `Future` comes to.

    Past `deadline` (s, monotonic) it is cancelled. Raises `DeadlineExceeded`.
    """
    if not waits(value):
        return value
    return await _within(deadline, _start(value))


def waits(value: object) -> bool:
    """Whether there is something to wait for."""
    return hasattr(value, "__await__") or isinstance(value, Future)


def _start(awaitable: Any) -> asyncio.Future[Any]:
    if isinstance(awaitable, asyncio.Future):
        return awaitable
    if isinstance(awaitable, Future):
        return _as_asyncio(awaitable)
    if not inspect.iscoroutine(awaitable):
        future: asyncio.Future[Any] = asyncio.ensure_future(awaitable)
        return future
    loop = asyncio.get_running_loop()
    if EAGER_TASKS:
        # Runs at once up to its first wait; most methods never get to one.
        return asyncio.Task(awaitable, loop=loop, eager_start=True)  # type: ignore[call-arg]
    return loop.create_task(awaitable)


async def _within(deadline: float | None, future: asyncio.Future[Any]) -> Any:
    if deadline is None or future.done():
        return await future
    passed = False

    def give_up() -> None:
        nonlocal passed
        passed = True
        future.cancel()

    left = max(0.0, deadline - time.monotonic())
    timer = asyncio.get_running_loop().call_later(left, give_up)
    try:
        return await future
    except asyncio.CancelledError:
        if passed:  # the clock may not say so yet: uvloop counts whole milliseconds
            raise DeadlineExceeded("The deadline passed while the method ran") from None
        raise
    finally:
        timer.cancel()


def _as_asyncio(future: Future) -> asyncio.Future[Response]:
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[Response] = loop.create_future()

    def complete(response: Response) -> None:
        loop.call_soon_threadsafe(set_result, response)

    def set_result(response: Response) -> None:
        if not waiter.done():
            waiter.set_result(response)

    future.add_done_callback(complete)
    return waiter


class Drive:
    """Runs a coroutine from the event loop's callbacks: a Task without the cost of one.

    What needs a Task around it (anything that is not ours) gets one from `settle`.
    """

    __slots__ = ("_coroutine", "_done", "_loop")

    def __init__(
        self,
        coroutine: Coroutine[Any, None, Any],
        done: Callable[[Any], object],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._coroutine, self._done, self._loop = coroutine, done, loop

    def wait(self, waited_for: Any) -> None:
        """Go on when what the coroutine waits for is there."""
        if waited_for is None:
            self._loop.call_soon(self)
        else:
            waited_for._asyncio_future_blocking = False
            waited_for.add_done_callback(self)

    def __call__(self, _future: object = None) -> None:
        try:
            waited_for = self._coroutine.send(None)
        except StopIteration as stop:
            self._done(stop.value)
        else:
            self.wait(waited_for)
