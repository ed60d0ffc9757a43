"""The command `pycom stats`."""

from __future__ import annotations

from typing import Any

import click

from pycom_core.cli import configured, options, print_json, print_table
from pycom_stats.client import read


@click.command()
@options("config", "timeout", "token", "json")
@click.argument("address")
def stats(address: str, timeout: float, token: str | None, as_json: bool, **given: Any) -> None:
    """Show what the server at ADDRESS has done since it started."""
    report = read(address, token, timeout, configured(given))
    if as_json:
        print_json(report)
        return
    click.echo(f"up for {report['uptime']:.0f} s, {report['in_flight']} calls in flight")
    rows = []
    for method, found in sorted(report["methods"].items()):
        errors = sum(found["errors"].values())
        latencies = (
            f"{name} {found['latency_ms'][name]:.1f} ms" for name in ("p50", "p90", "p99", "max")
        )
        rows.append([method, f"{found['calls']} calls", f"{errors} errors", *latencies])
    print_table(["method", "", "", "", "", "", ""], rows)
