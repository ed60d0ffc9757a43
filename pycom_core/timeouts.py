"""Timeouts of calls: numbers of ms, up to infinity."""

from __future__ import annotations

import math

#: ms, more than three weeks; longer timeouts are no limit, since clocks and 0MQ take no more.
LONGEST = 2**31 - 1


def limit(timeout: float | None) -> float:
    """Return a given timeout; None stands for infinity.

    Raises ValueError for nan, TypeError if it is not a number.
    """
    if timeout is None:
        return math.inf
    if math.isnan(timeout):
        raise ValueError("A timeout is a number of ms, or None or infinity for no limit; not nan")
    return timeout


def seconds(timeout: float) -> float | None:
    """Convert a timeout for functions that take seconds, or None for no limit."""
    return None if timeout > LONGEST else timeout / 1000
