"""The start-up time and the memory of PyCOM, compared with the libraries it is made of."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import harness

import pycom

LIBRARIES = "import zmq, pluggy, stevedore, attrs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21, help="runs of each contender")
    rounds = parser.parse_args().rounds
    pycom.configuration["address"]  # the client is ready before the measurement

    rows = [
        comparison(
            ["pycom --help", 'python -c "import zmq, click"'],
            [
                lambda: process(harness.script("pycom"), "--help"),
                lambda: process(sys.executable, "-c", "import zmq, click"),
            ],
            rounds,
            ms,
        ),
        comparison(
            ["pycom run, to the first answer", f'python -c "{LIBRARIES}"'],
            [first_answer, lambda: process(sys.executable, "-c", LIBRARIES)],
            rounds,
            ms,
        ),
        comparison(
            ["memory of an idle service", f"of {LIBRARIES}"],
            [service_memory, library_memory],
            3,
            lambda value: f"{value / 2**20:.1f} MiB",
        ),
    ]
    harness.table(["", "", "beside", "", "times", "quartiles"], rows)


def comparison(
    names: Sequence[str],
    measures: Sequence[Callable[[], float]],
    rounds: int,
    show: Callable[[float], str],
) -> list[str]:
    samples = harness.alternate(dict(zip(names, measures, strict=True)), rounds)
    ours, theirs = (samples[name] for name in names)
    low, ratio, high = harness.spread(harness.ratios(ours, theirs))
    medians = [show(harness.spread(values)[1]) for values in (ours, theirs)]
    return [names[0], medians[0], names[1], medians[1], f"{ratio:.2f}", f"{low:.2f} – {high:.2f}"]


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def process(*command: str) -> float:
    """Seconds that a command takes."""
    started = time.perf_counter()
    subprocess.run(command, check=True, env=harness.ENVIRONMENT, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def first_answer() -> float:
    """Seconds from the start of a service until its first call is answered."""
    started = time.perf_counter()
    with harness.pycom_server() as (address, _):
        call(address)
        return time.perf_counter() - started


def call(address: str) -> None:
    with pycom.Context(address).connect(address, "com.foo.example") as component:
        assert component.invoke("bar", {"name": "field1", "value": 42}) == {"field1": 42}


def service_memory() -> float:
    """Bytes that a service holds after it has answered a call."""
    with harness.pycom_server() as (address, pid):
        call(address)
        return harness.memory(pid)


def library_memory() -> float:
    """Bytes that a Python with the libraries alone holds."""
    code = f"{LIBRARIES}; import sys; print('listens on', 0, file=sys.stderr); sys.stdin.read()"
    idle = subprocess.Popen(
        [sys.executable, "-c", code],
        env=harness.ENVIRONMENT,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with idle:
        assert idle.stderr is not None
        idle.stderr.readline()
        return harness.memory(idle.pid)


if __name__ == "__main__":
    main()
