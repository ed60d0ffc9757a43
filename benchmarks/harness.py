"""Common parts of the benchmarks: servers in their own processes, alternating rounds, tables."""

from __future__ import annotations

import contextlib
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent
#: The service of the documentation's first example.
SEED = HERE.parent / "examples" / "seed"
#: What `pycom run` runs: that service, and a nameserver beside it to find it.
SEED_MODULES = ("package1.module1", "pycom.apps.nameserver")
ANY_PORT = "tcp://127.0.0.1:*"
#: Processes keep their bytecode, like installed programs, and have only our settings of PyCOM.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name != "PYTHONDONTWRITEBYTECODE" and not name.startswith("PYCOM_")
}


@contextlib.contextmanager
def server(*command: str, directory: Path = HERE) -> Iterator[tuple[str, int]]:
    """Run a command that logs "listens on ADDRESS"; gives the address and the process id."""
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        log = ""
        for line in process.stderr:
            log += line
            found = re.search(r"listens on (\S+)", line)
            if found:
                yield found[1], process.pid
                return
        raise SystemExit(f"{' '.join(command)} does not listen:\n{log}")
    finally:
        process.terminate()
        process.communicate()


def pycom_server(*options: str) -> contextlib.AbstractContextManager[tuple[str, int]]:
    """The service of the first example, and a nameserver, in one process."""
    command = [script("pycom"), "run", "-a", ANY_PORT, *options, *SEED_MODULES]
    return server(*command, directory=SEED)


def service(
    *modules: str, options: Sequence[str] = ()
) -> contextlib.AbstractContextManager[tuple[str, int]]:
    """Modules of `services/`, and a nameserver, in one process."""
    command = [script("pycom"), "run", "-a", ANY_PORT, *options, *modules, "pycom.apps.nameserver"]
    return server(*command, directory=HERE / "services")


def script(name: str) -> str:
    """A script that was installed with this Python."""
    return str(Path(sys.executable).with_name(name))


def memory(pid: int | str, peak: bool = False) -> float:
    """Bytes that a process holds now, or the most that it has held; "self" is this one."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"{'VmHWM' if peak else 'VmRSS'}:\s+(\d+) kB", status)
    assert found is not None
    return float(found[1]) * 1024


def alternate(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Measure each contender once in each round, so that all share the machine's ups and downs.

    The first round warms up, and does not count.
    """
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, measure in contenders.items():
            sample = measure()
            if number:
                samples[name].append(sample)
    return samples


def seconds_per_call(call: Callable[[], object], seconds: float) -> Callable[[], float]:
    """A measurement: call for so long, one after the other."""

    def measure() -> float:
        count, started = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - started) < seconds:
            for _ in range(50):
                call()
            count += 50
        return elapsed / count

    return measure


def ratios(samples: Sequence[float], base: Sequence[float]) -> list[float]:
    """Round by round, how many times `base` a contender took."""
    return [sample / other for sample, other in zip(samples, base, strict=True)]


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, as Markdown."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, ["-" * width for width in widths], *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(f"| {' | '.join(cells)} |")
