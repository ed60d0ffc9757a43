"""The cost of features: calls that use them, compared with the same calls without."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import harness

import pycom

ARGUMENTS = {"name": "field1", "value": 42}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=41, help="runs of each contender")
    parser.add_argument("--seconds", type=float, default=0.1, help="duration of one run")
    options = parser.parse_args()

    with harness.service("plain") as (address, _), harness.service("hooked") as (hooked, _):
        context = pycom.Context(nameserver=address)

        def call(at: str, interface: str, method: str = "untyped") -> Callable[[], object]:
            component = context.connect(at, interface)
            return lambda: component.invoke(method, ARGUMENTS)

        located = context.locate("benchmarks.plain")

        def locate_and_call() -> object:
            with context.locate("benchmarks.plain") as component:
                return component.invoke("untyped", ARGUMENTS)

        plain = call(address, "benchmarks.plain")
        pairs = {
            "ten plugins with a prehook and a posthook": (call(hooked, "benchmarks.plain"), plain),
            "a session in memory": (call(address, "benchmarks.stateful"), plain),
            "locate() before the call": (
                locate_and_call,
                lambda: located.invoke("untyped", ARGUMENTS),
            ),
            "typed arguments and result": (call(address, "benchmarks.plain", "typed"), plain),
        }
        rows = [
            comparison(name, *calls, options.rounds, options.seconds)
            for name, calls in pairs.items()
        ]
    header = ["", "µs a call", "without", "calls/s, of those without", "quartiles"]
    harness.table(header, rows)


def comparison(
    name: str,
    ours: Callable[[], object],
    base: Callable[[], object],
    rounds: int,
    seconds: float,
) -> list[str]:
    assert ours() == base() == {"field1": 42}
    contenders = {"ours": ours, "base": base}
    samples = harness.alternate(
        {which: harness.seconds_per_call(call, seconds) for which, call in contenders.items()},
        rounds,
    )
    medians = [f"{harness.spread(samples[which])[1] * 1e6:.0f}" for which in contenders]
    low, ratio, high = harness.spread(harness.ratios(samples["base"], samples["ours"]))
    return [name, *medians, f"{ratio:.2f}", f"{low:.2f} – {high:.2f}"]


if __name__ == "__main__":
    main()
