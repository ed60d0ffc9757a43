"""What a call may end with: a failure, which is answered and logged, or what is none of its own."""

from __future__ import annotations

import asyncio
import inspect
import signal
import threading
import traceback
from typing import Any


class Cancelled(asyncio.CancelledError):
    """The call itself is given up, and not only something that it waits for."""


def is_failure(error: BaseException) -> bool:
    """Whether an exception, of whatever kind, is the failure of what was called.

    Neither the cancellation of the call is one, nor what the handler of a signal raised.
    """
    return not isinstance(error, Cancelled) and not of_signal(error)


def of_signal(error: BaseException) -> bool:
    """Whether the handler of a signal raised this, to end the process: Ctrl-C above all."""
    if (
        not isinstance(error, (KeyboardInterrupt, SystemExit))
        or threading.current_thread() is not threading.main_thread()
    ):
        return False
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    if isinstance(error, KeyboardInterrupt) and signal.default_int_handler in handlers:
        # It leaves no trace that would tell it from one that a method raised itself.
        return True
    codes = [_code(handler) for handler in handlers]
    return any(frame.f_code in codes for frame, _ in traceback.walk_tb(error.__traceback__))


def _code(handler: Any) -> Any:
    function = getattr(handler, "func", handler)  # `asyncio.run` has a partial of a method
    return getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)


def of_task(error: BaseException) -> bool:
    """Whether a coroutine raised this, and not a plain callback of an event loop."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_flags & inspect.CO_COROUTINE for frame, _ in frames)
