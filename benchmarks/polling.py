"""Polling before sleeping: what it gains and what it costs, with 1, 2 and 16 clients.

Each client is a process that makes one call after the other. The service and the clients poll for
the default time, or not at all; a busy process takes a core from them, or none does.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import harness

import pycom
from pycom_core import Runtime, Settings

BUDGETS = (0, 200)  # µs
CLIENTS = (1, 2, 16)
ARGUMENTS = {"name": "field1", "value": 42}
#: s for the clients to start.
HEAD_START = 0.5


@attrs.frozen
class Sample:
    """One run: calls/s of all clients, their p99 in µs, and CPU of all processes a call in µs."""

    rate: float
    p99: float
    cpu: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="runs of each row")
    parser.add_argument("--seconds", type=float, default=0.5, help="duration of one run")
    parser.add_argument("--client", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        address, budget, start = options.client
        call_until(address, budget, start, options.seconds)
        return

    rows = []
    with contextlib.ExitStack() as stack:
        servers = {budget: stack.enter_context(service(budget)) for budget in BUDGETS}
        for is_busy in (False, True):
            with neighbour() if is_busy else contextlib.nullcontext():
                for count in CLIENTS:
                    samples: dict[int, list[Sample]] = {budget: [] for budget in BUDGETS}
                    for _ in range(options.rounds):
                        for budget, (address, pid) in servers.items():
                            samples[budget].append(
                                run(address, pid, budget, count, options.seconds)
                            )
                    rows.append(row(count, is_busy, samples))
    header = ["", "calls/s without", "with", "of those without", "quartiles"]
    header += ["p99 without, µs", "with", "CPU a call without, µs", "with"]
    harness.table(header, rows)


@contextlib.contextmanager
def service(budget: int) -> Iterator[tuple[str, int]]:
    """A service that polls for so long."""
    path = Path(f"polling-{budget}.toml").absolute()
    path.write_text(f"[zmtp]\npolling = {budget}\n")
    try:
        with harness.service("plain", options=["-c", str(path)]) as server:
            yield server
    finally:
        path.unlink()


@contextlib.contextmanager
def neighbour() -> Iterator[None]:
    """A process that computes."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        busy.kill()
        busy.wait()


def run(address: str, pid: int, budget: int, count: int, seconds: float) -> Sample:
    """Let so many clients call, all at the same time."""
    command = [
        sys.executable,
        __file__,
        "--seconds",
        str(seconds),
        "--client",
        address,
        str(budget),
    ]
    start = str(time.time() + HEAD_START + 0.25 * count)
    clients = [
        subprocess.Popen([*command, start], stdout=subprocess.PIPE, text=True) for _ in range(count)
    ]
    time.sleep(max(0.0, float(start) - time.time()))
    before = cpu(pid)
    found = [json.loads(client.communicate()[0]) for client in clients]
    calls = sum(len(one["times"]) for one in found)
    times = sorted(time for one in found for time in one["times"])
    spent = cpu(pid) - before + sum(one["cpu"] for one in found)
    return Sample(calls / seconds, times[int(0.99 * calls)] * 1e6, spent / calls * 1e6)


def call_until(address: str, budget: str, start: str, seconds: float) -> None:
    """Be a client: call from a time on, for so long, and print how it went."""
    runtime = Runtime(Settings(tables={"zmtp": {"polling": int(budget)}}))
    call = pycom.Context(address, runtime=runtime).connect(address, "benchmarks.plain").invoke
    for _ in range(100):
        call("untyped", ARGUMENTS)
    time.sleep(max(0.0, float(start) - time.time()))
    times, begun, now = [], time.process_time(), time.perf_counter()
    end = now + seconds
    while now < end:
        call("untyped", ARGUMENTS)
        before, now = now, time.perf_counter()
        times.append(now - before)
    print(json.dumps({"times": times, "cpu": time.process_time() - begun}))


def cpu(pid: int) -> float:
    """Return s of CPU that a process has used."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def row(count: int, is_busy: bool, samples: dict[int, list[Sample]]) -> list[str]:
    without, polling = (samples[budget] for budget in BUDGETS)
    name = f"{count} client{'s' if count > 1 else ''}{', beside a busy process' if is_busy else ''}"
    rates = harness.ratios([one.rate for one in polling], [one.rate for one in without])
    low, ratio, high = harness.spread(rates)

    def both(what: str) -> list[str]:
        values: list[Any] = [[getattr(one, what) for one in some] for some in (without, polling)]
        return [f"{harness.spread(some)[1]:,.0f}" for some in values]

    return [
        name,
        *both("rate"),
        f"{ratio:.2f}",
        f"{low:.2f} – {high:.2f}",
        *both("p99"),
        *both("cpu"),
    ]


if __name__ == "__main__":
    main()
