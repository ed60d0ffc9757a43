"""Timeouts: numbers of ms, up to infinity."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pycom_core.timeouts import LONGEST, limit, seconds


@pytest.mark.parametrize(
    ("timeout", "limited"),
    [(None, math.inf), (math.inf, math.inf), (5, 5), (0.5, 0.5), (0, 0), (-1, -1), (1e300, 1e300)],
)
def test_limits(timeout: Any, limited: float) -> None:
    assert limit(timeout) == limited


@pytest.mark.parametrize(
    ("timeout", "error"), [(math.nan, ValueError), ("5", TypeError), ([], TypeError)]
)
def test_what_is_no_limit(timeout: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        limit(timeout)


@pytest.mark.parametrize(
    ("timeout", "expected"),
    [(50, 0.05), (0, 0), (LONGEST, LONGEST / 1000), (LONGEST + 1, None), (math.inf, None)],
)
def test_seconds(timeout: float, expected: float | None) -> None:
    assert seconds(timeout) == expected
