"""All private names of asyncio that the kernel uses, and why."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread, without the exception where there is none."""
    return asyncio._get_running_loop()


@contextlib.contextmanager
def set_aside() -> Iterator[None]:
    """Let another loop run in this thread, while the one that runs here waits for it."""
    outer = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(outer)


def claim(future: Any) -> None:
    """Take a future that a coroutine yielded, as a Task does, so that others may await it too."""
    future._asyncio_future_blocking = False
