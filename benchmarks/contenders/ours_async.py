"""PyCOM with an `async def` method."""

from __future__ import annotations

from contenders import ours
from contenders.asynchronous import Measure

DISTRIBUTIONS = ("pycom",)


def many(address: str) -> Measure:
    return ours.many(address, "bar_async")


if __name__ == "__main__":
    ours.serve()
