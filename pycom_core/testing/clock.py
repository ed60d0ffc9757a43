"""A clock that only moves on command."""

from __future__ import annotations


class Clock:
    """A substitute for `time.monotonic`: pass `clock.now` as the clock."""

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
