"""The log of the command line: on standard error, written without blocking.

A library lets the program decide where its records go. `pycom run` is that program, until the
modules that it runs configure logging themselves.
"""

from __future__ import annotations

import atexit
import logging
import os
import reprlib
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from typing import Any, TextIO

from pycom_core.errors import ConfigurationError
from pycom_core.log import logger
from pycom_core.process._background import BackgroundStream

VARIABLE = "PYCOM_LOGGING_LEVEL"
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
#: s to wait at the end for unwritten text.
_LAST_LINES = 0.5

_shown = False
_handler: logging.Handler | None = None
_streams: dict[TextIO, BackgroundStream] = {}


def show(verbose: bool) -> None:
    """Show records from INFO on, or as `PYCOM_LOGGING_LEVEL` says, or all of them.

    Until `settle` it shows only records that nobody else takes. Raises `ConfigurationError`.
    """
    global _shown, _handler
    level = _level(os.environ.get(VARIABLE, ""))
    _shown = True
    logger().setLevel(logging.DEBUG if verbose else level)
    root = logging.getLogger()
    if sys.stderr is None or root.handlers:
        return
    root.setLevel(logger().level)
    handler = logging.StreamHandler(_unhurried(sys.stderr))
    handler.setFormatter(logging.Formatter(FORMAT))
    # Not at the root: with a handler there `basicConfig` in a module would do nothing.
    logging.lastResort = _handler = handler
    atexit.register(flush)


def settle() -> None:
    """End the time in which modules may configure logging, and configure the rest now.

    Does nothing without an earlier `show`.
    """
    if not _shown:
        return
    root = logging.getLogger()
    if not root.handlers and _handler is not None:
        root.addHandler(_handler)  # or `logging.info` would add one of its own
    logger().disabled = False  # by `dictConfig`, which disables all that were there before
    standard = [stream for stream in (sys.stdout, sys.stderr) if stream is not None]
    for handler in _handlers():
        if isinstance(handler, logging.StreamHandler) and handler.stream in standard:
            handler.setStream(_unhurried(handler.stream))
        if getattr(handler.handleError, "__func__", None) is logging.Handler.handleError:
            handler.handleError = _say_unwritable  # type: ignore[method-assign]
    _log_what_python_prints()


def flush() -> None:
    """Wait a moment for unwritten text."""
    deadline = time.monotonic() + _LAST_LINES
    for stream in _streams.values():
        stream.drain(max(0.0, deadline - time.monotonic()))


def _level(text: str) -> int:
    name = text.strip().upper() or "INFO"
    level = int(name) if name.isdecimal() else logging.getLevelName(name)
    if not isinstance(level, int):
        raise ConfigurationError(
            f"{VARIABLE} is {text!r}; write DEBUG, INFO, WARNING, ERROR, CRITICAL or a number"
        )
    return level


def _unhurried(stream: Any) -> BackgroundStream:
    if stream not in _streams:
        _streams[stream] = BackgroundStream(stream, _say_dropped)
    return _streams[stream]


def _say_dropped(count: int) -> None:
    logger().warning("%d records of the log were dropped, since nobody read them in time", count)


def _say_unwritable(record: logging.LogRecord) -> None:
    # As `logging` does it, which makes the caller wait for standard error.
    if logging.raiseExceptions and sys.stderr is not None:
        _unhurried(sys.stderr).write(
            f"--- Logging error ---\n{traceback.format_exc()}"
            f"Logged in {record.pathname}:{record.lineno}: "
            f"{_brief.repr(record.msg)}, {_brief.repr(record.args)}\n"
        )


#: Shows any object, even one whose `repr` fails.
_brief = reprlib.Repr()
_brief.maxstring = _brief.maxother = 1000


def _log_what_python_prints() -> None:
    """Log the warnings and errors that Python would print, unless somebody else takes them."""
    if warnings.showwarning.__module__ == "warnings":
        logging.captureWarnings(True)
        # Later there is no thread that would write them.
        atexit.register(logging.captureWarnings, False)
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _log_unraisable
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _log_thread


def _log_unraisable(found: Any) -> None:
    if sys.is_finalizing():
        sys.__unraisablehook__(found)
        return
    error = (found.exc_type, found.exc_value, found.exc_traceback)
    what = found.err_msg or "Exception ignored in"
    logger().error("%s %s", what, _brief.repr(found.object), exc_info=error)


def _log_thread(found: Any) -> None:
    if found.exc_type is not SystemExit:  # by which a thread may end itself
        error = (found.exc_type, found.exc_value, found.exc_traceback)
        name = found.thread.name if found.thread is not None else "that is gone"
        logger().error("Exception in thread %s", name, exc_info=error)


def _handlers() -> Iterator[logging.Handler]:
    yield from logging.getLogger().handlers
    for found in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(found, logging.Logger):
            yield from found.handlers
