"""Event loops that stand in for one that waits, in the same thread.

A sync method holds its loop. When it calls an async one of its own process, that one can only run
on another loop: this one, which is there for the one call. Whatever belongs to a loop and is the
kernel's own (connections, timers) is therefore kept by loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Coroutine
from typing import Any

from pycom_core.log import logger
from pycom_core.loops._eventloop import finish, undisturbed

#: s that what is cancelled at the end of such a loop may take to come to its own end.
PATIENCE = 1.0

#: `waiting`: the loops of this thread that a nested one, above them, has to end for.
_thread = threading.local()


def run(coroutine: Coroutine[Any, Any, Any], timeout: float | None) -> Any:
    """What a coroutine comes to, while the loop of this thread waits; `timeout` in s, or None.

    Raises TimeoutError. What is left running on the loop is cancelled.
    """
    nested, outer = asyncio.new_event_loop(), asyncio._get_running_loop()
    waiting = _thread.__dict__.setdefault("waiting", [])
    waiting.append(outer)
    asyncio._set_running_loop(None)
    try:
        # It is made anew for each call: who would close one that is kept?
        answered = nested.create_task(_within(timeout, coroutine))
        result = undisturbed(lambda: nested.run_until_complete(answered))
        _warn_of(asyncio.all_tasks(nested))
        return result
    finally:
        try:
            finish(nested, PATIENCE)
        finally:
            asyncio._set_running_loop(outer)
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
            "that ends with that call. Call it from an async method, or run with --threads",
            task,
        )


#: Set for a call, and for those that are made for it, where a thread of this process waits for it.
_keeps_waiting: contextvars.ContextVar[bool] = contextvars.ContextVar("keeps_waiting")


async def kept_waiting(answer: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine comes to while a thread waits, which a method may need to run in."""
    _keeps_waiting.set(True)
    return await answer


def keeps_thread_waiting() -> bool:
    """Whether the call that is being answered here keeps a thread of this process waiting."""
    return _keeps_waiting.get(False)


def stands_in() -> bool:
    """Whether the loop of this thread runs in place of another one, which waits for it."""
    return bool(getattr(_thread, "waiting", ()))


def runs_elsewhere(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a loop goes on while this thread waits for something that it is asked to do."""
    here = (asyncio._get_running_loop(), *getattr(_thread, "waiting", ()))
    return loop.is_running() and loop not in here
