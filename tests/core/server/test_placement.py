"""The choice between the event loop and a worker, by a clock that stands still."""

from __future__ import annotations

import pytest

from pycom_core.server._placement import IN_A_ROW, QUICK, SLOW, Placement

MIDDLING = (QUICK + SLOW) / 2


class Calls:
    """A placement, and calls that take as long as they are told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.placement = Placement(lambda: self.now)

    def call(self, method: str, seconds: float, times: int = 1) -> None:
        for _ in range(times):
            assert self.placement.timed(method, self._pass, seconds) == "done"

    def _pass(self, seconds: float) -> str:
        self.now += seconds
        return "done"

    def is_slow(self, method: str) -> bool:
        return self.placement.needs_worker(method, is_busy=False)


@pytest.fixture
def calls() -> Calls:
    return Calls()


def test_methods_begin_on_the_loop(calls: Calls) -> None:
    assert not calls.is_slow("report")


def test_one_slow_call_takes_its_method_to_the_worker_and_no_other(calls: Calls) -> None:
    calls.call("report", 2 * SLOW)
    assert calls.is_slow("report")
    assert not calls.is_slow("stock")


def test_what_is_neither_slow_nor_quick_stays_where_it_is(calls: Calls) -> None:
    calls.call("stock", MIDDLING, times=2 * IN_A_ROW)
    calls.call("report", 2 * SLOW)
    calls.call("report", MIDDLING, times=2 * IN_A_ROW)
    assert not calls.is_slow("stock")
    assert calls.is_slow("report")


def test_quick_calls_in_a_row_bring_a_method_back(calls: Calls) -> None:
    calls.call("report", 2 * SLOW)
    calls.call("report", QUICK / 2, times=IN_A_ROW - 1)
    assert calls.is_slow("report")
    calls.call("report", QUICK / 2)
    assert not calls.is_slow("report")


@pytest.mark.parametrize("seconds", [MIDDLING, 2 * SLOW])
def test_row_begins_anew_after_a_call_that_was_not_quick(calls: Calls, seconds: float) -> None:
    calls.call("report", 2 * SLOW)
    calls.call("report", QUICK / 2, times=IN_A_ROW - 1)
    calls.call("report", seconds)
    calls.call("report", QUICK / 2, times=IN_A_ROW - 1)
    assert calls.is_slow("report")
    calls.call("report", QUICK / 2)
    assert not calls.is_slow("report")


def test_calls_of_other_methods_do_not_count(calls: Calls) -> None:
    calls.call("report", 2 * SLOW)
    calls.call("stock", QUICK / 2, times=IN_A_ROW)
    assert calls.is_slow("report")


def test_all_go_to_a_worker_that_is_busy(calls: Calls) -> None:
    assert calls.placement.needs_worker("stock", is_busy=True)
    assert not calls.placement.needs_worker("stock", is_busy=False)


def test_failures_are_timed_too(calls: Calls) -> None:
    def fail() -> None:
        calls.now += 2 * SLOW
        raise KeyError("of the method")

    with pytest.raises(KeyError, match="of the method"):
        calls.placement.timed("report", fail)
    assert calls.is_slow("report")
