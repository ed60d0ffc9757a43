"""Files that are read again when they have changed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from pycom_core import ConfigurationError, logger

_ValueT = TypeVar("_ValueT")

#: s between two looks at a file.
_PAUSE: Final = 1.0


class Watched(Generic[_ValueT]):
    """The value in a file, at most a second old. For any number of threads.

    `read` gives the value and raises `ConfigurationError` for a broken file. The first time it is
    raised; later the last good value stays in force, and the log says so, once for each reason.
    `clock` gives seconds.
    """

    def __init__(
        self,
        path: str,
        read: Callable[[str], _ValueT],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._read, self._clock = path, read, clock
        self._lock = threading.Lock()
        self._version = _version(path)
        self._value = read(path)
        self._problem = ""
        self._next_look = clock() + _PAUSE

    def get(self) -> _ValueT:
        """The last good value. Raises nothing."""
        if self._clock() >= self._next_look:
            with self._lock:
                self._look()
        return self._value

    def _look(self) -> None:
        now = self._clock()
        if now < self._next_look:
            return
        self._next_look = now + _PAUSE
        version = _version(self._path)
        if version == self._version:
            self._problem = ""
            return
        try:  # each time, while it is broken: the reason may lie in a folder
            self._value = self._read(self._path)
        except ConfigurationError as error:
            if str(error) != self._problem:
                logger().error("What was read before stays in force: %s", error)
            self._problem = str(error)
        else:
            self._problem, self._version = "", version


def _version(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    # The time of the last change of its mode too: chmod may break a file, or mend it.
    times = (found.st_mtime_ns, found.st_ctime_ns)
    return (*times, found.st_dev, found.st_ino, found.st_size)
