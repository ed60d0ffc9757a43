"""Calls in flight on an event loop of asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from contenders import WINDOW

AsyncCall = Callable[[], Awaitable[Any]]
Measure = Callable[[float], float]


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """End what clients have left on the loop."""
    try:
        yield
    finally:
        _loop().run_until_complete(_end())


async def _end() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def connected(connect: Callable[[], Awaitable[AsyncCall]]) -> AsyncCall:
    """A call on the loop."""
    return _loop().run_until_complete(connect())


def one(call: AsyncCall) -> Any:
    """One call, and nothing beside it."""
    return _loop().run_until_complete(call())


def many(call: AsyncCall, seconds: float) -> float:
    """Seconds a call with `WINDOW` of them in flight."""

    async def measure() -> float:
        started = time.perf_counter()
        count = 0

        async def worker() -> None:
            nonlocal count
            while time.perf_counter() - started < seconds:
                await call()
                count += 1

        await asyncio.gather(*(worker() for _ in range(WINDOW)))
        return (time.perf_counter() - started) / count

    return _loop().run_until_complete(measure())
