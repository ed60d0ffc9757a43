"""Event loops that stand in for one that waits, in the same thread.

A sync method blocks its loop. When it calls an async method of its own process, that method can
only run on another loop. This module makes such a loop, for the one call. Therefore the kernel
keeps its own objects that belong to a loop (connections, timers) by loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Coroutine
from typing import Any

from pycom_core.log import logger
from pycom_core.loops._eventloop import finish, undisturbed
from pycom_core.loops._private import running_loop, set_aside

#: s that cancelled tasks may take to end, at the end of such a loop.
PATIENCE = 1.0

#: `waiting`: the loops of this thread that wait for the end of a nested one.
_thread = threading.local()


def run(coroutine: Coroutine[Any, Any, Any], timeout: float | None) -> Any:
    """Return the result of a coroutine, while the loop of this thread waits.

    `timeout` is in s, or None. Raises TimeoutError. Tasks left running on the loop are cancelled.
    """
    nested = asyncio.new_event_loop()
    waiting = _thread.__dict__.setdefault("waiting", [])
    waiting.append(running_loop())
    try:
        with set_aside():
            try:
                # A new loop for each call, as nobody would close one that is kept.
                answered = nested.create_task(_within(timeout, coroutine))
                result = undisturbed(lambda: nested.run_until_complete(answered))
                _warn_of(asyncio.all_tasks(nested))
                return result
            finally:
                finish(nested, PATIENCE)
    finally:
        waiting.pop()


async def _within(timeout: float | None, coroutine: Coroutine[Any, Any, Any]) -> Any:
    # Not `wait_for`: a call that is cancelled still answers, and would look as if it were in time.
    task = asyncio.ensure_future(coroutine)
    await asyncio.wait([task], timeout=timeout)
    if not task.done():
        raise TimeoutError
    return task.result()


def _warn_of(left: set[asyncio.Task[Any]]) -> None:
    for task in left:
        logger().warning(
            "%r is cancelled: a sync method called what began it, and so it ran on an event loop "
            "that ends with that call. Call it from an async method, or run with --threads N",
            task,
        )


#: Set for a call, and for the calls made for it, if a thread of this process waits for it.
_keeps_waiting: contextvars.ContextVar[bool] = contextvars.ContextVar("keeps_waiting")


async def kept_waiting(answer: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine while a thread waits that a method may need to run in."""
    _keeps_waiting.set(True)
    return await answer


def keeps_thread_waiting() -> bool:
    """Tell whether the call that is answered here keeps a thread of this process waiting."""
    return _keeps_waiting.get(False)


def stands_in() -> bool:
    """Tell whether the loop of this thread runs in place of another one, which waits for it."""
    return bool(getattr(_thread, "waiting", ()))


def runs_elsewhere(loop: asyncio.AbstractEventLoop) -> bool:
    """Tell whether a loop goes on running while this thread waits for it."""
    here = (running_loop(), *getattr(_thread, "waiting", ()))
    return loop.is_running() and loop not in here
