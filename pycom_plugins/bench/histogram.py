"""A histogram of latencies, in bounded memory."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from itertools import pairwise

_DIGITS = 8  # binary ones of a value that are kept: buckets are narrower than 1/128 of it
_EDGES = [0, *(digit * 10**exponent for exponent in range(19) for digit in (1, 2, 5))]


class Histogram:
    """Counts of values, ints from 0 on, in buckets whose width grows with the value.

    A percentile is never too low, and less than 1 % too high.
    """

    __slots__ = ("_buckets", "count", "maximum", "minimum", "total")

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()  # by the upper end of the bucket
        self.count = self.total = self.minimum = self.maximum = 0

    def record(self, value: int) -> None:
        """Count a value."""
        shift = max(0, value.bit_length() - _DIGITS)
        self._buckets[((value >> shift) + 1 << shift) - 1] += 1
        self.minimum = min(self.minimum, value) if self.count else value
        self.maximum = max(self.maximum, value)
        self.total += value
        self.count += 1

    def percentile(self, percent: float) -> int:
        """Return the least value that the given per cent of all do not exceed; 0 without values."""
        rank = max(1, math.ceil(round(self.count * percent / 100, 6)))
        for value, count in sorted(self._buckets.items()):
            rank -= count
            if rank <= 0:
                return min(value, self.maximum)
        return 0

    def rows(self) -> list[tuple[int, int, int]]:
        """Return a few buckets to read: from, to (exclusive) and count, in steps of 1, 2, 5, 10."""
        rows: Counter[int] = Counter()
        for value, count in self._buckets.items():
            rows[bisect_right(_EDGES, min(value, self.maximum))] += count
        edges = pairwise(_EDGES[min(rows) - 1 : max(rows) + 1] if rows else ())
        return [(low, high, rows[bisect_right(_EDGES, low)]) for low, high in edges]
