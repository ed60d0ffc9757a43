"""The log as the command line shows it: on standard error, and never waited for.

A library leaves it to the program where its records go. `pycom run` is that program, until the
modules that it runs configure logging themselves.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

from pycom_core.errors import ConfigurationError
from pycom_core.log import logger
from pycom_core.process._background import BackgroundStream

VARIABLE = "PYCOM_LOGGING_LEVEL"
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
#: s at the end for what was not written yet.
_LAST_LINES = 0.5

_shown = False
_handler: logging.Handler | None = None
_streams: dict[TextIO, BackgroundStream] = {}


def show(verbose: bool) -> None:
    """Show records from INFO on, or as `PYCOM_LOGGING_LEVEL` says, or all of them.

    Until `settle` this is for records that nobody else takes. Raises `ConfigurationError`.
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
    """End the time in which modules may configure logging: what they left undone is done now.

    Without `show` before, do nothing.
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


def flush() -> None:
    """Wait a moment for what was not written yet."""
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


def _handlers() -> Iterator[logging.Handler]:
    yield from logging.getLogger().handlers
    for found in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(found, logging.Logger):
            yield from found.handlers
