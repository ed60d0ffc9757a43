"""Workers that call a method again and again."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from pycom_core import AsyncContext, Context, ServiceNotAvailable, ServiceNotFound
from pycom_plugins.bench.tally import Tally

#: s between searches for a missing service, so that the run does not measure the nameserver.
_PAUSE = 0.1


@attrs.frozen
class Load:
    """The method to call, and the amount of calls."""

    interface: str
    service: str | None
    method: str
    arguments: Mapping[str, Any]
    concurrency: int
    seconds: float
    calls: float  #: infinity: as many as there is time for
    rate: float | None  #: calls/s to start; None: each when the one before it ends


class _Schedule:
    """The times at which the calls of a run are due, for all of its workers."""

    def __init__(self, load: Load, started: float) -> None:
        self._load, self._started = load, started
        self._turns = itertools.count()
        self.stopped = False

    def next(self) -> float | None:
        """Return the time when the next call is due, or None after the last one."""
        turn, now = next(self._turns), time.perf_counter()
        due = now if self._load.rate is None else self._started + turn / self._load.rate
        is_over = max(now, due) - self._started >= self._load.seconds
        return None if self.stopped or is_over or turn >= self._load.calls else due


class _Component(Protocol):
    def invoke(self, method_name: str, args: Any, /) -> Awaitable[Any]: ...
    def close(self) -> None: ...


class _Finder(Protocol):
    def locate(self, iface: str, service_name: str | None, /) -> Awaitable[_Component]: ...


async def _work(finder: _Finder, load: Load, schedule: _Schedule, tally: Tally) -> None:
    component: _Component | None = None
    while (due := schedule.next()) is not None:
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        try:
            if component is None:
                component = await finder.locate(load.interface, load.service)
            await component.invoke(load.method, load.arguments)
        except Exception as error:
            tally.failed(error)
            if isinstance(error, (ServiceNotAvailable, ServiceNotFound)):
                if component is not None:
                    component.close()
                component = None
                await asyncio.sleep(_PAUSE)
        else:
            tally.succeeded(due)
    if component is not None:
        component.close()


def run(context: Context, phases: Sequence[tuple[Load, Tally]], sync: bool) -> None:
    """Run one load after the other, on the same connections."""
    if sync:
        for load, tally in phases:
            _run_in_threads(context, load, tally)
    else:
        asyncio.run(_run_on_loop(context, phases))


async def _run_on_loop(context: Context, phases: Sequence[tuple[Load, Tally]]) -> None:
    async with AsyncContext(
        context.nameservers, timeout=context.timeout, runtime=context.runtime
    ) as twin:
        twin.token = context.token
        for load, tally in phases:
            schedule = _Schedule(load, tally.start())
            await asyncio.gather(
                *(_work(twin, load, schedule, tally) for _ in range(load.concurrency))
            )


def _run_in_threads(context: Context, load: Load, tally: Tally) -> None:
    schedule = _Schedule(load, tally.start())

    def work() -> None:
        asyncio.run(_work(_Blocking(context), load, schedule, tally))

    # Those that wait for an answer must not keep an interrupted program.
    threads = [threading.Thread(target=work, daemon=True) for _ in range(load.concurrency)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        schedule.stopped = True


class _Blocking:
    """A context whose calls block the event loop of their thread, which has no other tasks."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def locate(self, iface: str, service_name: str | None, /) -> _Component:
        return _BlockingComponent(self._context.locate(iface, service_name))


@attrs.frozen
class _BlockingComponent:
    _wrapped: Any

    async def invoke(self, method_name: str, args: Any, /) -> Any:
        return self._wrapped.invoke(method_name, args)

    def close(self) -> None:
        self._wrapped.close()
