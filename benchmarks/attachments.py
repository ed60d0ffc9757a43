"""Attachments there and back: their rate beside a bare pyzmq, and the memory for a large one.

Bytes are copied once on each side, where they are received; views are not copied.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

import bare_echo
import harness

import pycom

MIB = 2**20
KINDS = {"bytes": "copy", "view": "no copy"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5, help="times that servers start anew")
    parser.add_argument("--rounds", type=int, default=8, help="runs of each contender per start")
    parser.add_argument("--seconds", type=float, default=0.2, help="duration of one run")
    parser.add_argument("--large", type=int, default=256, help="MiB of the large attachment")
    parser.add_argument("--send", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send:
        print(peak_of_client(*options.send, options.large * MIB))
        return

    rows = [speed(kind, options.starts, options.rounds, options.seconds) for kind in KINDS]
    harness.table(
        ["1 MiB there and back", "µs", "bare", "MiB/s, of bare", "quartiles"],
        rows,
    )
    print()
    harness.table(
        [f"{options.large} MiB there and back, at most", "in the client", "in the service"],
        [memory(kind, options.large) for kind in KINDS],
    )


def speed(kind: str, starts: int, rounds: int, seconds: float) -> list[str]:
    # The place of large frames in memory is a matter of luck, with each start anew.
    samples: dict[str, list[float]] = {"pycom": [], "bare": []}
    for _ in range(starts):
        for name, times in one_start(kind, rounds, seconds).items():
            samples[name] += times
    medians = [f"{harness.spread(times)[1] * 1e6:.0f}" for times in samples.values()]
    low, ratio, high = harness.spread(harness.ratios(samples["bare"], samples["pycom"]))
    return [f"as {kind}", *medians, f"{ratio:.2f}", f"{low:.2f} – {high:.2f}"]


def one_start(kind: str, rounds: int, seconds: float) -> dict[str, list[float]]:
    yardstick = harness.server(sys.executable, str(harness.HERE / "bare_echo.py"), KINDS[kind])
    with yardstick as (bare_address, _), harness.service("echo") as (address, _):
        # By its TCP address, as the yardstick.
        context = pycom.Context(address, views=kind == "view")
        component = context.connect(address, "benchmarks.echo")
        echo = bare_echo.client(bare_address, kind == "bytes")
        blob = b"x" * MIB
        return harness.alternate(
            {
                "pycom": harness.seconds_per_call(
                    lambda: component.invoke(f"as_{kind}", {}, attachment=blob), seconds
                ),
                "bare": harness.seconds_per_call(lambda: echo(blob), seconds),
            },
            rounds,
        )


def memory(kind: str, size: int) -> list[str]:
    """Return lines on the most memory that a client and a service hold, besides what is sent."""
    with harness.service("echo") as (address, pid):
        idle = harness.memory(pid, peak=True)
        script = [sys.executable, __file__, "--large", str(size), "--send", address, kind]
        sent = subprocess.run(
            script, check=True, env=harness.ENVIRONMENT, stdout=subprocess.PIPE, text=True
        )
        service = harness.memory(pid, peak=True) - idle
    client = float(sent.stdout)
    return [f"as {kind}"] + [f"{held / (size * MIB):.2f} times" for held in (client, service)]


def peak_of_client(address: str, kind: str, size: int) -> float:
    context = pycom.Context(address, views=kind == "view")
    component = context.connect(address, "benchmarks.echo")
    component.invoke(f"as_{kind}", {}, attachment=b"x")
    blob = b"x" * size
    idle = harness.memory("self", peak=True)
    _, back = component.invoke(f"as_{kind}", {}, timeout=120_000, attachment=blob)
    assert len(back) == size
    return harness.memory("self", peak=True) - idle


if __name__ == "__main__":
    main()
