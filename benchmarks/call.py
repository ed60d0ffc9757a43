"""One synchronous call after the other, beside a bare pyzmq REQ and ROUTER with JSON."""

from __future__ import annotations

import argparse
import sys

import bare
import harness

import pycom

ARGUMENTS = {"name": "field1", "value": 42}
RESULT = {"field1": 42}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=41, help="runs of each contender")
    parser.add_argument("--seconds", type=float, default=0.1, help="duration of one run")
    options = parser.parse_args()

    yardstick = harness.server(sys.executable, str(harness.HERE / "bare.py"))
    with yardstick as (bare_address, _), harness.pycom_server() as (address, _):
        context = pycom.Context(nameserver=address)
        proxies = pycom.ProxyContext(context)
        component = context.connect(address, "com.foo.example")
        proxy = proxies.connect(address, "com.foo.example")
        located = context.locate("com.foo.example")  # leads to a Unix socket
        located_proxy = proxies.locate("com.foo.example")
        bare_call = bare.client(bare_address)
        calls = {
            "bare REQ and ROUTER": lambda: bare_call(ARGUMENTS),
            "pycom over TCP, invoke()": lambda: component.invoke("bar", ARGUMENTS),
            "pycom over TCP, proxy": lambda: proxy.bar(name="field1", value=42),
            "pycom as located, invoke()": lambda: located.invoke("bar", ARGUMENTS),
            "pycom as located, proxy": lambda: located_proxy.bar(name="field1", value=42),
        }
        for call in calls.values():
            assert call() == RESULT
        samples = harness.alternate(
            {name: harness.seconds_per_call(call, options.seconds) for name, call in calls.items()},
            options.rounds,
        )

    base = samples["bare REQ and ROUTER"]
    rows = []
    for name, times in samples.items():
        low, middle, high = (f"{value * 1e6:.0f}" for value in harness.spread(times))
        # Rates, so that 1 is as fast as the yardstick and more is better.
        slowest, ratio, fastest = (
            f"{value:.2f}" for value in harness.spread(harness.ratios(base, times))
        )
        rate = f"{1 / harness.spread(times)[1]:,.0f}"
        rows.append([name, middle, f"{low} – {high}", rate, ratio, f"{slowest} – {fastest}"])
    harness.table(["", "µs a call", "quartiles", "calls/s", "of bare", "quartiles"], rows)


if __name__ == "__main__":
    main()
