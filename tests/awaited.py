"""Tests that are coroutines."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Coroutine
from typing import Any

import helpers


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
