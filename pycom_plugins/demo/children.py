"""Processes of the demonstration, which always end with it."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from pycom_core.errors import PycomError

#: s that a process may take to start, or to end.
PATIENCE = 30.0


class DemoFailed(PycomError):
    """The demonstration cannot go on; the text says why."""


class Child:
    """`python -m pycom`, and its log. A context manager that ends it."""

    def __init__(self, arguments: list[str], directory: Path) -> None:
        self._log: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pycom", *arguments],
            cwd=directory,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        # Reads to the end, so that the process never waits for somebody to read its log.
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self._log.put(line)
        self._log.put(None)

    def wait_for(self, pattern: str) -> str:
        """Wait for a line that matches `pattern` and return its group. Raises `DemoFailed`."""
        deadline = time.monotonic() + PATIENCE
        last: deque[str] = deque(maxlen=5)
        while True:
            try:
                line = self._log.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise DemoFailed(_with_log("A process does not start", last)) from None
            if line is None:
                raise DemoFailed(_with_log("A process ended", last))
            found = re.search(pattern, line)
            if found:
                return found[1]
            last.append(line)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE)
        finally:
            self._process.kill()  # which does nothing where it has ended
            self._process.wait()


def _with_log(problem: str, lines: deque[str]) -> str:
    return f"{problem}; it last said:\n{''.join(lines)}" if lines else f"{problem} without a word"


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Make Ctrl-C and SIGTERM wait for the end of the block, so that no process gets lost."""
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


def environment() -> dict[str, str]:
    """Return our environment without settings for PyCOM: the demonstration brings its own.

    Only PYCOM_PLUGINS is kept, since a broken plugin may have to be disabled.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYCOM_") or name == "PYCOM_PLUGINS"
    }
