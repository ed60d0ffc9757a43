"""Tests that are coroutines, and the event loops that they run on."""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import time
from collections.abc import Callable, Coroutine
from typing import Any

import helpers

Run = Callable[[Coroutine[Any, Any, Any]], Any]

#: Makers of event loops, by name: asyncio's, and uvloop's where that is installed.
NEW_LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
#: Runners of coroutines, each on a loop of its own.
RUNNERS: dict[str, Run] = {"asyncio": asyncio.run}
if importlib.util.find_spec("uvloop"):
    import uvloop

    NEW_LOOPS["uvloop"], RUNNERS["uvloop"] = uvloop.new_event_loop, uvloop.run


def awaited(test: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., None]:
    """Make a plain test of a coroutine function, which runs on an event loop of its own."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


async def comes_true(what: Callable[[], object]) -> None:
    """Give way to the loop until a condition without an event of its own holds."""
    deadline = time.monotonic() + helpers.PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0)
