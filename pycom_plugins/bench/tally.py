"""The results of the calls of a run."""

from __future__ import annotations

import threading
import time

import attrs

from pycom_plugins.bench.histogram import Histogram


@attrs.define
class Failures:
    """Failed calls of one kind."""

    count: int
    first: str  #: the message of the first of them


class Tally:
    """A count of calls, from any thread."""

    def __init__(self) -> None:
        self.latencies = Histogram()  #: ns, of calls that succeeded
        self.failures: dict[str, Failures] = {}  #: by class of the error
        self._started = self._last = 0.0
        self._lock = threading.Lock()

    def start(self) -> float:
        """Start the clock of the run, and return the time."""
        self._started = self._last = time.perf_counter()
        return self._started

    @property
    def calls(self) -> int:
        """All calls that ended."""
        return self.latencies.count + sum(one.count for one in self.failures.values())

    @property
    def seconds(self) -> float:
        """From the start to the end of the last call."""
        return self._last - self._started

    def succeeded(self, due: float) -> None:
        """Count a call that should have started at `due`."""
        with self._lock:
            self._last = time.perf_counter()
            self.latencies.record(round((self._last - due) * 1e9))

    def failed(self, error: Exception) -> None:
        """Count a call that failed."""
        with self._lock:
            self._last = time.perf_counter()
            # By class alone: texts and codes are the service's own, and may differ each time.
            kind = type(error).__name__
            self.failures.setdefault(kind, Failures(0, str(error))).count += 1
