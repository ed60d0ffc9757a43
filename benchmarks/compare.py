"""PyCOM compared with bare pyzmq, a plain TCP socket, and other RPC libraries, in turns.

Contenders that are not installed are left out, with a note; `pip install '.[bench]'` installs all
but the program `nats-server`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import harness
import report
from contenders import RESULT, asynchronous

THREADS = 16
MIB = 2**20
YARDSTICK = "pyzmq"
ALL = ("one", "many", "threads", "echo")

Measure = Callable[[], float]


@attrs.frozen
class Contender:
    """One row: a module of `contenders/`, and the scenarios that its server serves."""

    name: str
    module: str
    scenarios: tuple[str, ...] = ALL
    arguments: tuple[str, ...] = ()  #: of its server


CONTENDERS = (
    Contender("plain TCP", "tcp"),
    Contender("pyzmq", "pyzmq", ("one", "many", "threads")),
    Contender("pyzmq", "pyzmq", ("echo",), ("echo",)),
    Contender("pyzmq, CURVE", "pyzmq_curve", ("one",)),
    Contender("PyCOM", "ours"),
    Contender("PyCOM, zmq", "ours_zmq"),
    Contender("PyCOM, CURVE", "ours_curve"),
    Contender("PyCOM, async def", "ours_async", ("many",)),
    Contender("thriftpy2", "thrift"),
    Contender("RPyC", "rpyc_"),
    Contender("Pyro5", "pyro5"),
    Contender("NATS", "nats_"),
    Contender("gRPC", "grpc_", ("one", "threads", "echo")),
    Contender("gRPC, asyncio", "grpc_", ("many",), ("async",)),
    Contender("zerorpc", "zerorpc_"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="runs of each contender")
    parser.add_argument("--seconds", type=float, default=0.3, help="duration of one run")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these contenders, and pyzmq")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples")
    parser.add_argument("--plot", type=Path, metavar="STEM", help="draw STEM.png and STEM.svg")
    parser.add_argument("--rst", type=Path, metavar="FILE", help="write the table for the docs")
    options = parser.parse_args()

    wanted = CONTENDERS
    if options.only:
        names = {YARDSTICK, *options.only}
        wanted = tuple(contender for contender in CONTENDERS if contender.name in names)
    versions = {contender.name: version(contender) for contender in wanted}
    installed = [contender for contender in wanted if versions[contender.name]]
    with asynchronous.ending():
        samples = run(installed, options.rounds, options.seconds)
    result = {"machine": machine(), "versions": versions, "samples": samples}
    report.show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))
    if options.rst:
        options.rst.write_text(report.as_rst(result))
    if options.plot:
        report.plot(result, options.plot)


def version(contender: Contender) -> str | None:
    """Return the installed versions of a contender; None if something is missing."""
    try:
        module = module_of(contender)
        found = [importlib.metadata.version(name) for name in module.DISTRIBUTIONS]
    except (ImportError, importlib.metadata.PackageNotFoundError):
        return None
    if shutil.which(getattr(module, "PROGRAM", sys.executable)) is None:
        return None
    return " ".join(found) or platform.python_version()


def machine() -> dict[str, Any]:
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)),
    }


def run(
    contenders: Sequence[Contender], rounds: int, seconds: float
) -> dict[str, dict[str, list[float]]]:
    """Seconds a call, by scenario and contender."""
    samples: dict[str, dict[str, list[float]]] = {}
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(server(contender)) for contender in contenders]
        for scenario, build in MEASURES.items():
            measures = {}
            for contender, (address, _) in zip(contenders, servers, strict=True):
                if scenario in contender.scenarios:
                    measure = build(module_of(contender), address, seconds)
                    if measure is not None:
                        measures[contender.name] = measure
            samples[scenario] = harness.alternate(measures, rounds)
    return samples


def server(contender: Contender) -> contextlib.AbstractContextManager[tuple[str, int]]:
    module = f"contenders.{contender.module}"
    return harness.server(sys.executable, "-m", module, *contender.arguments)


def module_of(contender: Contender) -> Any:
    return importlib.import_module(f"contenders.{contender.module}")


def one(module: Any, address: str, seconds: float) -> Measure | None:
    if not hasattr(module, "one"):
        return None
    call = module.one(address)
    assert call() == RESULT, (module, call())
    return lambda: seconds_per_call(call, seconds)


def many(module: Any, address: str, seconds: float) -> Measure | None:
    if not hasattr(module, "many"):
        return None
    measure = module.many(address)
    return lambda: float(measure(seconds))


def in_threads(module: Any, address: str, seconds: float) -> Measure | None:
    make = getattr(module, "threads", lambda address: lambda: module.one(address))
    if make is None or not hasattr(module, "one"):
        return None
    new_call = make(address)
    local, together = threading.local(), threading.Barrier(THREADS, timeout=30)

    def start() -> None:
        local.call = new_call()
        assert local.call() == RESULT

    def work() -> int:
        together.wait()
        started, count = time.perf_counter(), 0
        while time.perf_counter() - started < seconds:
            local.call()
            count += 1
        return count

    pool = ThreadPoolExecutor(THREADS, initializer=start)

    def measure() -> float:
        started = time.perf_counter()
        counts = list(pool.map(lambda _: work(), range(THREADS)))
        return (time.perf_counter() - started) / sum(counts)

    return measure


def echo(module: Any, address: str, seconds: float) -> Measure | None:
    if not hasattr(module, "echo"):
        return None
    exchange, blob = module.echo(address), bytes(MIB)
    assert exchange(blob) == blob
    return lambda: seconds_per_call(lambda: exchange(blob), seconds)


MEASURES = {"one": one, "many": many, "threads": in_threads, "echo": echo}


def seconds_per_call(call: Callable[[], object], seconds: float) -> float:
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        call()
        count += 1
    return elapsed / count


if __name__ == "__main__":
    main()
