"""The result of a run, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from pycom_plugins.bench.tally import Tally

_PERCENTILES = {"p50": 50, "p90": 90, "p99": 99, "p99.9": 99.9}
_WIDTH = 40
_MS = 1e6  # in ns


def summary(tally: Tally) -> dict[str, Any]:
    """The result as a JSON value."""
    found = tally.latencies
    latency = {
        "min": found.minimum,
        "mean": found.total / (found.count or 1),
        **{name: found.percentile(percent) for name, percent in _PERCENTILES.items()},
        "max": found.maximum,
    }
    return {
        "calls": tally.calls,
        "errors": {kind: attrs.asdict(one) for kind, one in tally.failures.items()},
        "seconds": tally.seconds,
        "calls_per_second": found.count / (tally.seconds or 1),
        "latency_ms": {name: ns / _MS for name, ns in latency.items()} if found.count else None,
        "histogram": [
            {"from_ms": low / _MS, "to_ms": high / _MS, "count": count}
            for low, high, count in found.rows()
        ],
    }


def lines(tally: Tally) -> Iterator[str]:
    """The result as text."""
    found = summary(tally)
    yield f"calls    {found['calls']} in {found['seconds']:.2f} s"
    yield f"errors   {sum(one['count'] for one in found['errors'].values())}"
    for kind, one in found["errors"].items():
        yield f"         {one['count']} {kind}: {' '.join(one['first'].split())}"
    if not found["latency_ms"]:
        return
    yield f"calls/s  {found['calls_per_second']:.1f}"
    yield "latency  ms"
    for name, ms in found["latency_ms"].items():
        yield f"  {name:<6} {ms:12.3f}"
    yield ""
    most = max(row["count"] for row in found["histogram"])
    for row in found["histogram"]:
        # A count above 0 is always visible.
        bar = "█" * round(_WIDTH * row["count"] / most) or "▏" * bool(row["count"])
        edges = f"{row['from_ms']:>9g} … {row['to_ms']:<9g}"
        yield f"{edges} {row['count']:>9} {bar}".rstrip()
