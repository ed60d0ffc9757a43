"""The harm that a slow sync method does to other calls, by the setting `threads`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import harness
import zmq

import pycom
from pycom_core import Runtime, Settings
from pycom_core.constants import DEADLINE_EXTENSION

INTERFACE = "benchmarks.blocked"
THREADS = ("0", "auto", "1")
#: s that the slow method takes.
SLOW = 0.05
ARGUMENTS = {"name": "field1", "value": 42}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="runs of each contender")
    parser.add_argument("--seconds", type=float, default=2, help="duration of one run")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        addresses = {
            threads: stack.enter_context(served("blocked", threads)) for threads in THREADS
        }
        echoes(addresses, options.rounds, options.seconds)
        quick_calls(addresses, options.rounds * 6, options.seconds / 20)
    without_stand_in()


@contextlib.contextmanager
def served(module: str, threads: str, transport: str = "zmtp") -> Iterator[str]:
    """The address of a service."""
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        Path(file.name).write_text(f'transport = "{transport}"')
        options = ["-c", file.name, "--threads", threads]
        with harness.service(module, options=options) as (address, _):
            yield address


def connected(address: str, **settings: Any) -> Any:
    """A component over a connection of its own."""
    runtime = Runtime(Settings(tables=settings))
    return pycom.Context(address, runtime=runtime).connect(address, INTERFACE)


@contextlib.contextmanager
def kept_busy(address: str, method: str | None, seconds: float) -> Iterator[None]:
    """A client calls a slow method all the time; none does if there is no method."""
    if method is None:
        yield
        return
    component, over = connected(address), threading.Event()

    def call() -> None:
        while not over.is_set():
            component.invoke(method, {"seconds": seconds})

    caller = threading.Thread(target=call)
    caller.start()
    try:
        yield
    finally:
        over.set()
        caller.join()


# An echo beside a slow method.


class Echo:
    """A contender: calls of `echo`, and how long each took."""

    def __init__(self, address: str, method: str | None) -> None:
        self.address, self.method = address, method
        self.component = connected(address)
        self.latencies: list[float] = []

    def run(self, seconds: float) -> float:
        """Call for so long, and return s per call."""
        latencies = []
        with kept_busy(self.address, self.method, SLOW):
            end = time.perf_counter() + seconds
            while (began := time.perf_counter()) < end:
                self.component.invoke("echo", {"value": 42})
                latencies.append(time.perf_counter() - began)
        self.latencies += latencies
        return statistics.fmean(latencies)


def echoes(addresses: dict[str, str], rounds: int, seconds: float) -> None:
    contenders = {"nothing": {"0": Echo(addresses["0"], None)}}
    for method in ("wait", "compute"):
        contenders[method] = {
            threads: Echo(address, method) for threads, address in addresses.items()
        }
    flat = {
        (method, threads): echo for method, of in contenders.items() for threads, echo in of.items()
    }
    samples = harness.alternate(
        {name: (lambda echo=echo: echo.run(seconds)) for name, echo in flat.items()},  # type: ignore[misc]
        rounds,
    )
    rows = []
    for (method, threads), echo in flat.items():
        times = samples[method, threads]
        cuts = statistics.quantiles(echo.latencies, n=100, method="inclusive")
        low, ratio, high = harness.spread(harness.ratios(samples["nothing", "0"], times))
        rate = f"{1 / harness.spread(times)[1]:,.0f}"
        latencies = [f"{cuts[49] * 1e3:.2f}", f"{cuts[98] * 1e3:.2f}"]
        share = [f"{ratio:.3f}", f"{low:.3f} – {high:.3f}"]
        rows.append([method, threads, *latencies, rate, *share])
    print(f"An async echo, while another client calls a sync method of {SLOW * 1e3:.0f} ms:\n")
    header = ["slow method", "threads", "p50, ms", "p99, ms", "echoes/s", "of alone", "quartiles"]
    harness.table(header, rows)


# A quick method.


def quick_calls(addresses: dict[str, str], rounds: int, seconds: float) -> None:
    def call(address: str) -> Callable[[], object]:
        component = connected(address)
        return lambda: component.invoke("bar", ARGUMENTS)

    samples = harness.alternate(
        {
            threads: harness.seconds_per_call(call(address), seconds)
            for threads, address in addresses.items()
        },
        rounds,
    )
    rows = []
    for threads, times in samples.items():
        low, ratio, high = harness.spread(harness.ratios(samples["0"], times))
        middle = harness.spread(times)[1]
        share = [f"{ratio:.2f}", f"{low:.2f} – {high:.2f}"]
        rows.append([threads, f"{middle * 1e6:.1f}", f"{1 / middle:,.0f}", *share])
    print("\nA quick sync method, with nothing beside it:\n")
    harness.table(["threads", "µs a call", "calls/s", "of 0", "quartiles"], rows)


# With and without the stand-in.

#: s that a method holds the loop here, ms between two PINGs, and ms of the deadlines.
HOLD, HEARTBEAT, DEADLINE = 0.5, 100, 200
TRIES = 20


def without_stand_in() -> None:
    rows = []
    for threads in ("0", "auto"):
        for transport in ("zmtp", "zmq"):
            for stand_in, module in (("yes", "blocked"), ("no", "blocked_alone")):
                with served(module, threads, transport) as address:
                    found = [f"{ready_reply(address) * 1e3:.0f}"]
                    found += [f"{pings(address)} of {TRIES}", f"{deadlines(address)} of {TRIES}"]
                rows.append([threads, transport, stand_in, *found])
    print(f"\nWhile a sync method of {HOLD * 1e3:.0f} ms is called:\n")
    header = ["threads", "transport", "stand-in", "way of a ready reply, ms"]
    harness.table([*header, "calls not lost to silence", "calls run too late"], rows)


def ready_reply(address: str) -> float:
    """Return the longest way of replies that were ready when the method began; a median, s."""

    async def tries(component: Any) -> list[float]:
        async def bar() -> float:
            began = time.perf_counter()
            await component.invoke("bar", ARGUMENTS)
            return time.perf_counter() - began

        async def hold() -> float:
            await component.invoke("wait", {"seconds": HOLD})
            return 0

        # All are sent in one piece, the slow one last.
        return [max(await asyncio.gather(*(bar() for _ in range(20)), hold())) for _ in range(5)]

    return statistics.median(asynchronously(address, tries))


def pings(address: str) -> int:
    """Return how many calls of a client that asks silent servers for a word are answered."""

    async def tries(component: Any) -> int:
        answered = 0
        for _ in range(TRIES):
            with contextlib.suppress(pycom.ServiceNotAvailable):
                await component.invoke("wait", {"seconds": HOLD})
                answered += 1
        return answered

    return int(asynchronously(address, tries, zmtp={"heartbeat": HEARTBEAT}))


def asynchronously(address: str, tries: Callable[[Any], Any], **settings: Any) -> Any:
    """Return the result of a coroutine function that gets a component of an event loop."""

    async def run() -> Any:
        runtime = Runtime(Settings(tables=settings))
        async with pycom.AsyncContext(address, runtime=runtime) as context:
            return await tries(await context.connect(address, INTERFACE))

    return asyncio.run(run())


def deadlines(address: str) -> int:
    """Return how many calls of a client that does not take them back run after its time."""
    component = connected(address)
    component.invoke("count_of_late")
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.connect(address)
    with kept_busy(address, "wait", HOLD):
        for _ in range(TRIES):
            time.sleep(HOLD / 3)
            request = {
                "version": "1.0",
                "interface": INTERFACE,
                "method": "note",
                "args": {"until": time.monotonic() + DEADLINE / 1e3},
                "extensions": {DEADLINE_EXTENSION: DEADLINE},
            }
            socket.send_multipart([b"", b"CALL", json.dumps(request).encode()])
        for _ in range(TRIES):
            socket.recv_multipart()
    socket.close()
    return int(component.invoke("count_of_late"))


if __name__ == "__main__":
    main()
