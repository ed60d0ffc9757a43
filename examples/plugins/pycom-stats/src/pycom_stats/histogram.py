"""A histogram of latencies, whose steps grow with the latency."""

from __future__ import annotations

import math
from collections import Counter

#: A step is this much longer than the one before.
STEP = 1.2


class Histogram:
    """Durations in ms: their number, and their percentiles."""

    __slots__ = ("_counts", "count", "longest", "total")

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self.count = 0
        self.total = self.longest = 0.0

    def add(self, ms: float) -> None:
        """Count a duration."""
        self._counts[math.ceil(math.log(max(ms, 1e-3), STEP))] += 1
        self.count += 1
        self.total += ms
        self.longest = max(self.longest, ms)

    def percentile(self, part: float) -> float:
        """Return the ms that `part` of all (0 to 1) do not exceed, within a step; 0 without any."""
        wanted = part * self.count
        for step in sorted(self._counts):
            wanted -= self._counts[step]
            if wanted <= 0:
                return min(float(STEP**step), self.longest)
        return self.longest
