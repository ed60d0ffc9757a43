"""The counts of each method."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from pycom_stats.histogram import Histogram


class Counts:
    """Calls by method. For any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latencies: dict[str, Histogram] = {}
        self._errors: dict[str, Counter[int]] = {}

    def add(self, method: str, ms: float, code: int) -> None:
        """Count a call of `method` that ended after `ms`; `code` 0 is success."""
        with self._lock:
            if method not in self._latencies:
                self._latencies[method], self._errors[method] = Histogram(), Counter()
            self._latencies[method].add(ms)
            if code:
                self._errors[method][code] += 1

    def report(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        with self._lock:
            return {
                method: {
                    "calls": latency.count,
                    "errors": {str(code): n for code, n in self._errors[method].items()},
                    "latency_ms": {
                        "mean": round(latency.total / latency.count, 3),
                        "p50": round(latency.percentile(0.5), 3),
                        "p90": round(latency.percentile(0.9), 3),
                        "p99": round(latency.percentile(0.99), 3),
                        "max": round(latency.longest, 3),
                    },
                }
                for method, latency in self._latencies.items()
            }
