"""A store of values that expire."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

_ValueT = TypeVar("_ValueT")


class Expiring(Generic[_ValueT]):
    """Values by key, each for `lifetime` s; if there are more than `limit`, the oldest goes first.

    For any number of threads. `clock` gives seconds.
    """

    __slots__ = ("_clock", "_lifetime", "_limit", "_lock", "_values")

    def __init__(
        self, lifetime: float, limit: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lifetime, self._limit, self._clock = lifetime, limit, clock
        # All live equally long, so the order of insertion is the order of their ends.
        self._values: dict[str, tuple[float, _ValueT]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str) -> _ValueT | None:
        """Return the value, unless its time is over."""
        end, value = self._values.get(key, (0.0, None))
        return value if self._clock() < end else None

    def put(self, key: str, value: _ValueT) -> None:
        """Keep a value, for the whole lifetime from now on."""
        now, values = self._clock(), self._values
        with self._lock:
            values.pop(key, None)
            values[key] = now + self._lifetime, value
            while values:
                oldest = next(iter(values))
                if len(values) <= self._limit and values[oldest][0] > now:
                    break
                del values[oldest]

    def drop(self, key: str) -> None:
        """Forget a value; an unknown one is no error."""
        with self._lock:
            self._values.pop(key, None)
