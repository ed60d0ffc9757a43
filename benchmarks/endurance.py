"""A check that the cost of a call stays flat: over very many calls, with very many clients.

A bare pyzmq REQ and ROUTER does the same in turns with it, which shows other load on the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator

import bare
import harness
import zmq

import pycom

ARGUMENTS = {"name": "field1", "value": 42}
MIB = 2**20
#: Calls of one turn.
TURN = 500

Call = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200_000, help="of each contender")
    parser.add_argument("--clients", type=int, default=1000, help="that are connected")
    parser.add_argument("--few", type=int, default=10, help="clients to compare them with")
    parser.add_argument("--rounds", type=int, default=41, help="runs with many and few clients")
    parser.add_argument("--seconds", type=float, default=0.1, help="duration of one such run")
    options = parser.parse_args()

    many_calls(options.calls)
    print()
    many_clients(options.clients, options.few, options.rounds, options.seconds)


def many_calls(count: int) -> None:
    with servers() as (address, pid, bare_address, _):
        calls = {"pycom": pycom_call(address), "bare": bare_call(bare_address)}
        turns = max(1, count // 10 // TURN)  # in a tenth of the calls
        measure(calls, turns)  # warms up
        rows = [["0", "", "", "", *memory(pid)]]
        for tenth in range(1, 11):
            samples = measure(calls, turns)
            rows.append(
                [
                    f"{tenth * turns * TURN:,}",
                    *(f"{statistics.median(times) * 1e6:.1f}" for times in samples.values()),
                    f"{harness.spread(harness.ratios(samples['bare'], samples['pycom']))[1]:.3f}",
                    *memory(pid),
                ]
            )
    header = ["calls", "µs a call", "bare", "calls/s, of bare", "client holds", "service holds"]
    harness.table(header, rows)


def measure(calls: dict[str, Call], turns: int) -> dict[str, list[float]]:
    """Seconds per call, turn by turn."""
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            started = time.perf_counter()
            for _ in range(TURN):
                call()
            samples[name].append((time.perf_counter() - started) / TURN)
    return samples


def memory(pid: int) -> list[str]:
    return [f"{harness.memory(process) / MIB:.1f} MiB" for process in ("self", pid)]


def many_clients(many: int, few: int, rounds: int, seconds: float) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # servers inherit it
    zmq.Context.instance().set(zmq.MAX_SOCKETS, many + few + 10)
    with servers() as crowded, servers() as calm:
        samples = harness.alternate(
            {
                name: harness.seconds_per_call(
                    one_after_the_other(connect, address, count), seconds
                )
                for count, (address, _, bare_address, _) in ((many, crowded), (few, calm))
                for name, connect, address in (
                    (f"pycom {count}", pycom_call, address),
                    (f"bare {count}", bare_call, bare_address),
                )
            },
            rounds,
        )
        memories = {"pycom": (crowded[1], calm[1]), "bare": (crowded[3], calm[3])}
        each = {
            name: (harness.memory(most) - harness.memory(least)) / (many - few)
            for name, (most, least) in memories.items()
        }
    rows = []
    for name in ("pycom", "bare"):
        ours, base = samples[f"{name} {many}"], samples[f"{name} {few}"]
        medians = [f"{harness.spread(times)[1] * 1e6:.0f}" for times in (ours, base)]
        low, ratio, high = (f"{value:.2f}" for value in harness.spread(harness.ratios(base, ours)))
        held = f"{each[name] / 1024:.1f} KiB"
        rows.append([name, *medians, ratio, f"{low} – {high}", held])
    header = [
        "clients",
        f"µs a call, {many:,} connected",
        f"{few:,} connected",
        "calls/s of calls/s",
        "quartiles",
        "server holds for each",
    ]
    harness.table(header, rows)


def one_after_the_other(connect: Callable[[str], Call], address: str, count: int) -> Call:
    """Measure a call by each of many clients in turn, all of them connected and used before."""
    clients = [connect(address) for _ in range(count)]
    for client in clients:
        client()
    turns = itertools.cycle(clients)
    return lambda: next(turns)()


@contextlib.contextmanager
def servers() -> Iterator[tuple[str, int, str, int]]:
    """Start PyCOM's server and the bare one; gives address and process id of each."""
    yardstick = harness.server(sys.executable, str(harness.HERE / "bare.py"))
    with yardstick as (bare_address, bare_pid), harness.pycom_server() as (address, pid):
        yield address, pid, bare_address, bare_pid


def pycom_call(address: str) -> Call:
    component = pycom.Context(address).connect(address, "com.foo.example")
    return lambda: component.invoke("bar", ARGUMENTS)


def bare_call(address: str) -> Call:
    call = bare.client(address)
    return lambda: call(ARGUMENTS)


if __name__ == "__main__":
    main()
