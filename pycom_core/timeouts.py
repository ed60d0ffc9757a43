"""Timeouts of calls: numbers of ms, up to infinity."""

from __future__ import annotations

import math

#: ms, more than three weeks; what is longer is no limit, since clocks and 0MQ take no more.
LONGEST = 2**31 - 1


def limit(timeout: float | None) -> float:
    """The timeout that somebody set; None stands for infinity.

    Raises ValueError for nan, TypeError for what is no number.
    """
    if timeout is None:
        return math.inf
    if math.isnan(timeout):
        raise ValueError("A timeout is a number of ms, or None or infinity for no limit; not nan")
    return timeout


def seconds(timeout: float) -> float | None:
    """For functions that take seconds, and None where there is no limit."""
    return None if timeout > LONGEST else timeout / 1000
