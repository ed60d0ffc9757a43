"""Leases in memory: the ends of keys, without a timer and without a scan of all keys."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=str)


class Leases(Generic[Key]):
    """The ends of leases, in seconds of any clock of the user. Not thread-safe.

    A heap holds the lease that may end next. Renewing only moves the end. The heap's entry is then
    too early, and is corrected when it comes up. So a renewal costs one assignment, and a key that
    is renewed for ever has one entry.
    """

    __slots__ = ("_ends", "_heap")

    def __init__(self) -> None:
        self._ends: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []

    def set(self, key: Key, end: float) -> None:
        """Let `key` live until `end`, regardless of its earlier end."""
        before = self._ends.get(key)
        self._ends[key] = end
        if before is None or end < before:
            heapq.heappush(self._heap, (end, key))
            # Entries of dropped keys stay behind; clearing them now and then is cheaper than
            # looking for each of them.
            if len(self._heap) > 2 * len(self._ends) + 64:
                self._heap = [(end, key) for key, end in self._ends.items()]
                heapq.heapify(self._heap)

    def drop(self, key: Key) -> None:
        """Forget `key`; an unknown one is no error."""
        self._ends.pop(key, None)

    def expire(self, now: float) -> list[Key]:
        """Forget and return the keys whose end is not after `now`."""
        expired: list[Key] = []
        while self._heap and self._heap[0][0] <= now:
            key = heapq.heappop(self._heap)[1]
            end = self._ends.get(key)
            if end is None:
                continue
            if end > now:
                heapq.heappush(self._heap, (end, key))
            else:
                del self._ends[key]
                expired.append(key)
        return expired
