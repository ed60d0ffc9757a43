"""The report of `pycom bench`, from known results."""

from __future__ import annotations

import pytest

from pycom_plugins.bench import report
from pycom_plugins.bench.tally import Tally


@pytest.fixture
def tally(monkeypatch: pytest.MonkeyPatch) -> Tally:
    """100 calls of 1 ms, one of 30 ms and two that failed, in 2 s."""
    now = 100.0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    tally = Tally()
    due = tally.start()
    now += 0.001
    for _ in range(100):
        tally.succeeded(due)
    now += 0.029
    tally.succeeded(due)
    now = 102.0
    tally.failed(ValueError("one\nline"))
    tally.failed(ValueError("another"))
    return tally


def test_text(tally: Tally) -> None:
    bars = [line.split() for line in report.lines(tally)]
    assert bars[:6] == [
        ["calls", "103", "in", "2.00", "s"],
        ["errors", "2"],
        ["2", "ValueError:", "one", "line"],
        ["calls/s", "50.5"],
        ["latency", "ms"],
        ["min", "1.000"],
    ]
    assert [bars[7], bars[-6], bars[-1]] == [
        ["p50", "1.004"],
        [],
        ["20", "…", "50", "1", "▏"],
    ]
    assert bars[-5] == ["1", "…", "2", "100", "█" * 40]


def test_json(tally: Tally) -> None:
    found = report.summary(tally)
    assert found["errors"] == {"ValueError": {"count": 2, "first": "one\nline"}}
    assert list(found["latency_ms"]) == ["min", "mean", "p50", "p90", "p99", "p99.9", "max"]
    assert found["latency_ms"]["max"] == pytest.approx(30)
    assert found["latency_ms"]["mean"] == pytest.approx(130 / 101)
    assert found["histogram"][0] == {"from_ms": 1, "to_ms": 2, "count": 100}


def test_nothing_was_called() -> None:
    assert list(report.lines(Tally())) == ["calls    0 in 0.00 s", "errors   0"]
    assert report.summary(Tally())["latency_ms"] is None
