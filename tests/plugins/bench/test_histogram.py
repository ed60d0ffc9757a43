"""The histogram of `pycom bench`: as exact as it says, and bounded."""

from __future__ import annotations

import itertools
import math
import sys
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycom_plugins.bench.histogram import Histogram

YEAR = 365 * 24 * 3600 * 10**9  # ns
VALUES = st.lists(st.integers(0, YEAR) | st.integers(0, 1000), min_size=1)


def filled(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@given(VALUES, st.sampled_from(["0", "0.1", "50", "90", "99", "99.9", "100"]))
def test_percentile_is_within_the_resolution(values: list[int], percent: str) -> None:
    rank = max(1, math.ceil(len(values) * Fraction(percent) / 100))
    true = sorted(values)[rank - 1]
    assert true <= filled(values).percentile(float(percent)) <= true * 1.01


def test_percentile_of_a_thousand_does_not_round_up() -> None:
    assert filled([1] * 999 + [100]).percentile(99.9) == 1


@given(VALUES)
def test_extremes_and_sum_are_exact(values: list[int]) -> None:
    histogram = filled(values)
    assert histogram.minimum == min(values)
    assert histogram.maximum == histogram.percentile(100) == max(values)
    assert (histogram.count, histogram.total) == (len(values), sum(values))


@given(VALUES)
def test_rows_hold_all_values_without_a_gap(values: list[int]) -> None:
    rows = filled(values).rows()
    assert sum(count for *_, count in rows) == len(values)
    assert rows[0][2] > 0
    assert rows[-1][2] > 0
    assert all(before[1] == after[0] for before, after in itertools.pairwise(rows))
    # A bucket that lies across an edge counts in the row above it.
    assert rows[0][0] <= min(values) * 1.01
    assert max(values) < rows[-1][1]


def test_rows_step_by_1_2_5() -> None:
    assert filled([1000, 1999, 2000, 9000]).rows() == [
        (1000, 2000, 2),
        (2000, 5000, 1),
        (5000, 10000, 1),
    ]


def test_memory_is_bounded() -> None:
    histogram = Histogram()
    value = 1
    while value < YEAR:
        for step in range(1000):
            histogram.record(value + value * step // 1000)
        value *= 2
    assert len(histogram._buckets) <= 128 * YEAR.bit_length()
    assert sys.getsizeof(histogram._buckets) < 1_000_000


def test_empty_one() -> None:
    histogram = Histogram()
    assert (histogram.percentile(50), histogram.rows()) == (0, [])


@pytest.mark.parametrize("value", [0, 1, 255])
def test_small_values_are_exact(value: int) -> None:
    assert filled([value, 10**6]).percentile(50) == value
