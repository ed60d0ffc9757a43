"""A text stream that blocks nobody: a thread passes on the text and waits instead."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Callable
from typing import Any, TextIO

from pycom_core import threads

#: Characters that may wait to be written; further text is dropped.
LIMIT = 2**20


class BackgroundStream:
    """A buffer in front of a stream whose reader may be slow, or may not read at all.

    `on_dropped` gets the number of dropped writes, once there is room again. A forked child has no
    such thread: it writes by itself. All other attributes are those of the stream.
    """

    def __init__(self, stream: TextIO, on_dropped: Callable[[int], object]) -> None:
        self._stream, self._on_dropped = stream, on_dropped
        self._pid = os.getpid()
        self._waiting: list[str] = []
        self._size = 0  # characters, of what waits
        self._dropped = 0
        self._writing = False
        self._news = threading.Condition()  # taken in handlers of signals, too
        threads.start(threading.Thread(target=self._run, name="pycom-log", daemon=True))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Take in `text`, to be written soon."""
        if self._pid != os.getpid():
            self._pass_on(text)
            return len(text)
        with self._news:
            if self._waiting and self._size + len(text) > LIMIT:
                self._dropped += 1
                return len(text)
            self._waiting.append(text)
            self._size += len(text)
            self._news.notify_all()
        return len(text)

    def flush(self) -> None:
        """Do nothing: a caller that flushes does not want to wait either."""

    def drain(self, timeout: float) -> bool:
        """Wait until all is written, for `timeout` s at most. True if it is."""
        if self._pid != os.getpid():
            return True
        with self._news:
            return self._news.wait_for(lambda: not self._waiting and not self._writing, timeout)

    def _run(self) -> None:
        while True:
            with self._news:
                self._writing = False
                self._news.notify_all()
                self._news.wait_for(lambda: self._waiting)
                self._writing = True
                text, self._waiting, self._size = "".join(self._waiting), [], 0
            self._pass_on(text)
            with self._news:
                dropped, self._dropped = self._dropped, 0
            if dropped:
                self._on_dropped(dropped)

    def _pass_on(self, text: str) -> None:
        try:
            descriptor = self._stream.fileno()
        except (OSError, ValueError, AttributeError):  # a stream in memory
            self._stream.write(text)
            return
        # Past the stream's own buffer: a thread that holds it while the interpreter ends would
        # make that a crash.
        data = text.encode(self._stream.encoding or "utf-8", "backslashreplace")
        with contextlib.suppress(OSError):  # its reader is gone
            while data:
                try:
                    data = data[os.write(descriptor, data) :]
                except BlockingIOError:
                    select.select([], [descriptor], [])
