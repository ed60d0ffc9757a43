"""The cost of a call's JSON: msgspec, which PyCOM uses, orjson, and the standard library."""

from __future__ import annotations

import argparse
import json
import timeit
from collections.abc import Callable
from functools import partial
from typing import Any

import harness
import msgspec
import orjson

REQUEST = {
    "interface": "com.foo.example",
    "method": "bar",
    "args": {"name": "field1", "value": 42},
    "extensions": {"org.pycom.deadline": 5000},
    "version": "1.0",
}
RESPONSE = {"code": 0, "result": {"field1": 42}}
ROW = {
    "id": 123456,
    "name": "a name of some length",
    "price": 12.75,
    "tags": ["a", "b"],
    "ok": True,
}
#: About 64 KiB of JSON.
DOCUMENT = {"code": 0, "result": [ROW] * 700}

LIBRARIES: dict[str, tuple[Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    # As the codec holds them: msgspec's own advice is to keep an encoder.
    "msgspec": (msgspec.json.Encoder().encode, msgspec.json.Decoder().decode),
    "orjson": (orjson.dumps, orjson.loads),
    "json": (lambda value: json.dumps(value).encode(), json.loads),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=41, help="runs of each contender")
    options = parser.parse_args()

    samples = {}
    for title, values, number in [
        ("a call", (REQUEST, RESPONSE), 20_000),
        ("64 KiB", (DOCUMENT,), 100),
    ]:
        contenders = {
            name: partial(per_value, *library, values, number)
            for name, library in LIBRARIES.items()
        }
        samples[title] = harness.alternate(contenders, options.rounds)
    rows = []
    for name in LIBRARIES:
        row = [name]
        for times in samples.values():
            ratio = harness.spread(harness.ratios(times["msgspec"], times[name]))[1]
            row += [f"{harness.spread(times[name])[1] * 1e6:.2f}", f"{ratio:.2f}"]
        rows.append(row)
    speed = "speed of msgspec's"
    harness.table(["", "µs a call", speed, "µs 64 KiB", speed], rows)


def per_value(
    encode: Callable[[Any], bytes], decode: Callable[[bytes], Any], values: Any, number: int
) -> float:
    """s to encode and decode each value once."""

    def there_and_back() -> None:
        for value in values:
            decode(encode(value))

    return timeit.timeit(there_and_back, number=number) / number


if __name__ == "__main__":
    main()
