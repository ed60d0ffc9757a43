"""A nameserver with very many records: the rates of look-ups and registrations, and its memory."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import harness

import pycom
from pycom_core import constants

THREADS = 4
TTL = constants.NS_SERVICE_TIMEOUT / 1000  # s
RENEWAL = TTL / 2
NAMESERVER = constants.NS_INTERFACE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=41, help="runs of each contender")
    parser.add_argument("--seconds", type=float, default=0.1, help="duration of one run")
    parser.add_argument("--records", type=int, default=100_000, help="of the full nameserver")
    parser.add_argument("--few", type=int, default=100, help="records of the other one")
    options = parser.parse_args()

    rows = [
        backend(name, options.few, options.records, options.rounds, options.seconds)
        for name in ("memory", "sqlite")
    ]
    harness.table(
        [
            "",
            f"locate, µs, of {options.few:,}",
            f"of {options.records:,}",
            "calls/s of calls/s",
            "quartiles",
            "registered in",
            "registrations/s",
            "leases lost",
            "bytes a record",
        ],
        rows,
    )


def backend(name: str, few: int, many: int, rounds: int, seconds: float) -> list[str]:
    with nameserver(name) as (small, _), nameserver(name) as (full, pid):
        register(small, few)
        register(full, 1)  # what the first one makes is there before memory is measured
        idle = harness.memory(pid)
        elapsed, late = register(full, many)
        size = (harness.memory(pid) - idle) / many
        lost = late + many - listed(full)
        components = {
            which: (pycom.Context(address).connect(address, NAMESERVER), count)
            for which, address, count in (("few", small, few), ("many", full, many))
        }
        samples = harness.alternate(
            {
                which: harness.seconds_per_call(Finder(component, count), seconds)
                for which, (component, count) in components.items()
            },
            rounds,
        )
    medians = [f"{harness.spread(times)[1] * 1e6:.0f}" for times in samples.values()]
    low, ratio, high = harness.spread(harness.ratios(samples["few"], samples["many"]))
    return [
        f"{name}:",
        *medians,
        f"{ratio:.2f}",
        f"{low:.2f} – {high:.2f}",
        f"{elapsed:.0f} s",
        f"{many / elapsed:,.0f}",
        f"{lost:,}",
        f"{size:,.0f}",
    ]


@contextlib.contextmanager
def nameserver(backend: str) -> Iterator[tuple[str, int]]:
    command = [harness.script("pycom"), "nameserver", "-a", harness.ANY_PORT, "--backend"]
    with tempfile.TemporaryDirectory() as directory:
        url = "memory:" if backend == "memory" else f"sqlite:///{directory}/records"
        with harness.server(*command, url, directory=Path(directory)) as listening:
            yield listening


def name_of(number: int) -> str:
    return f"benchmarks.interface.number{number}"


class Finder:
    """Asks for one service after the other, never for neighbours in turn."""

    def __init__(self, component: pycom.BaseComponent, count: int) -> None:
        self._component, self._count, self._number = component, count, 0

    def __call__(self) -> object:
        self._number = (self._number + 7919) % self._count
        return self._component.invoke("locate", {"interface": name_of(self._number)})


def register(address: str, count: int) -> tuple[float, int]:
    """Register services from several threads, and renew as they would.

    Gives the seconds that it took, and how many came too late to be renewed.
    """
    context = pycom.Context(address)
    component = context.connect(address, NAMESERVER)

    def some(first: int) -> int:
        late = 0
        known: deque[tuple[float, int]] = deque()  # (when it was registered, number)
        for number in range(first, count, THREADS):
            while known and (age := time.monotonic() - known[0][0]) > RENEWAL:
                late += age > TTL
                known.append((time.monotonic(), register_one(component, known.popleft()[1])))
            known.append((time.monotonic(), register_one(component, number)))
        return late

    started = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as threads:
        late = sum(threads.map(some, range(THREADS)))
    elapsed = time.perf_counter() - started
    context.close()
    return elapsed, late


def register_one(component: pycom.BaseComponent, number: int) -> int:
    arguments = {
        "service": f"/benchmarks/service/{number}",
        "address": f"tcp://127.0.0.1:{1024 + number % 60_000}",
        "interfaces": [name_of(number)],
    }
    component.invoke("register", arguments)
    return number


def listed(address: str) -> int:
    component = pycom.Context(address).connect(address, NAMESERVER)
    services = component.invoke("list_services", {"service": "/benchmarks/"}, timeout=60_000)
    return len(services)


if __name__ == "__main__":
    main()
