"""The tally of the calls of a run."""

from __future__ import annotations

import threading

import pytest

from pycom_core.testing import Clock
from pycom_plugins.bench.tally import Failures, Tally


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.perf_counter", clock.now)
    return clock


def test_nothing_yet(clock: Clock) -> None:
    tally = Tally()
    assert tally.start() == clock.now()
    clock.advance(5)
    assert (tally.calls, tally.seconds, tally.failures) == (0, 0, {})


def test_time_ends_with_the_last_call(clock: Clock) -> None:
    tally = Tally()
    begin = tally.start()
    clock.advance(2)
    tally.succeeded(begin)
    assert tally.seconds == 2
    clock.advance(1)
    tally.failed(ValueError())
    assert tally.seconds == 3
    clock.advance(1)
    assert tally.seconds == 3


def test_latency_counts_from_when_a_call_was_due(clock: Clock) -> None:
    tally = Tally()
    tally.start()
    due = clock.now() + 0.25
    clock.advance(1)
    tally.succeeded(due)
    assert tally.latencies.count == 1
    assert tally.latencies.maximum == pytest.approx(0.75e9)


def test_failures_by_class_with_what_the_first_said(clock: Clock) -> None:
    tally = Tally()
    tally.succeeded(tally.start())
    for error in (ValueError("first"), KeyError("one"), ValueError("second")):
        tally.failed(error)
    assert tally.failures == {
        "ValueError": Failures(2, "first"),
        "KeyError": Failures(1, "'one'"),
    }
    assert tally.calls == 4
    assert tally.latencies.count == 1, "of those that succeeded"


def test_no_call_of_many_threads_is_lost() -> None:
    tally = Tally()
    begin = tally.start()

    def count() -> None:
        for _ in range(500):
            tally.succeeded(begin)
            tally.failed(ValueError())

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tally.latencies.count == tally.failures["ValueError"].count == 4000
