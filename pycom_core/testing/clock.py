"""A clock that moves when it is told to."""

from __future__ import annotations


class Clock:
    """Stands in for `time.monotonic`: give `clock.now` where a clock is wanted."""

    __slots__ = ("_now",)

    def __init__(self, now: float = 1000.0) -> None:
        """Start at `now` seconds."""
        self._now = now

    def now(self) -> float:
        """The time, in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._now += seconds
