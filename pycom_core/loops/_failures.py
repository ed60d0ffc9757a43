"""The exceptions that end a call: its own failures, answered and logged, and all others."""

from __future__ import annotations

import asyncio
import inspect
import opcode
import signal
import threading
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

_RAISE = opcode.opmap["RAISE_VARARGS"]


class Cancelled(asyncio.CancelledError):
    """The call itself was given up, and not only something that it waits for."""


def is_failure(error: BaseException) -> bool:
    """Tell whether an exception, of whatever kind, is a failure of the called code.

    The cancellation of the call is not one, and neither is what the handler of a signal raised.
    """
    return not isinstance(error, Cancelled) and not of_signal(error)


def of_signal(error: BaseException) -> bool:
    """Tell whether the handler of a signal raised this, to end the process, as on Ctrl-C."""
    if (
        not isinstance(error, (KeyboardInterrupt, SystemExit))
        or threading.current_thread() is not threading.main_thread()
    ):
        return False
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    if isinstance(error, KeyboardInterrupt) and signal.default_int_handler in handlers:
        return not _is_of_raise(error)
    codes = [_code(handler) for handler in handlers]
    return any(
        frame.f_code is handle_on_loop.__code__ or (frame.f_code in codes and _interrupts(frame))
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )


def handle_on_loop(callback: Callable[..., object], *arguments: Any) -> None:
    """Run an event loop's callback for a signal, so that `of_signal` can recognise it."""
    callback(*arguments)


def _is_of_raise(error: BaseException) -> bool:
    # That handler is none of Python's functions: it leaves the trace of what it interrupts alone.
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is None or last.tb_frame.f_code.co_code[last.tb_lasti] == _RAISE


def _interrupts(frame: FrameType) -> bool:
    """Tell whether Python called a function as a signal handler: with its caller's frame."""
    given = list(frame.f_locals.values())
    for rest in [value for value in given if type(value) is tuple]:
        given += rest
    return any(value is frame.f_back for value in given)


def _code(handler: Any) -> Any:
    function = getattr(handler, "func", handler)  # `asyncio.run` has a partial of a method
    return getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)


def of_task(error: BaseException) -> bool:
    """Tell whether a coroutine raised this, and not a plain callback of an event loop."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_flags & inspect.CO_COROUTINE for frame, _ in frames)
