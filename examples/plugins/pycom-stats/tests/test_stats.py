"""STATS counts right, and keeps the contract of commands."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import pycom_stats
import pytest
from click.testing import CliRunner
from pycom_stats.histogram import STEP, Histogram

from pycom_core import AccessDenied, BadRequest, RemoteError, Request, interface, method
from pycom_core.cli import main
from pycom_core.testing import CommandContract, RealNetwork, SampleCommand


@interface("com.example.shop")
class Shop:
    @method
    def buy(self, request: Request, what: str) -> str:
        if what == "nothing":
            raise RemoteError("sold out", code=42)
        if what == "trouble":
            raise ValueError
        return "bought"

    @method
    async def wait(self, request: Request) -> Any:
        return request.error(77, "no")


class TestContract(CommandContract):
    @pytest.fixture
    def command(self) -> SampleCommand:
        return SampleCommand(b"STATS", "stats", lambda _: {})


def test_counts() -> None:
    with RealNetwork() as network:
        service = network.serve(Shop)
        with network.context().locate("com.example.shop") as shop:
            for what in ("apple", "pear", "nothing", "trouble", "trouble"):
                with contextlib.suppress(RemoteError):
                    shop.invoke("buy", {"what": what})
            with pytest.raises(RemoteError):
                shop.invoke("wait")
        report = pycom_stats.read(service.address)
    assert report["in_flight"] == 0
    assert report["uptime"] > 0
    buy, wait = (report["methods"][f"com.example.shop.{name}"] for name in ("buy", "wait"))
    assert (buy["calls"], buy["errors"]) == (5, {"42": 1, "1": 2})
    assert (wait["calls"], wait["errors"]) == (1, {"77": 1})
    latency = buy["latency_ms"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]


def test_token() -> None:
    with RealNetwork(stats={"token": "sesame"}) as network:
        address = network.serve(Shop).address
        assert pycom_stats.read(address, token="sesame")["methods"] == {}
        for wrong in (None, "", "Sesame", "☃"):
            with pytest.raises(AccessDenied):
                pycom_stats.read(address, token=wrong)
        with pytest.raises(BadRequest, match="token must be a string"):
            pycom_stats.read(address, token=5)  # type: ignore[arg-type]


def test_server_without_it() -> None:
    with RealNetwork() as network:
        address = network.serve(Shop, disable=["stats"]).address
        with pytest.raises(BadRequest, match="Unknown command: STATS"):
            pycom_stats.read(address)


def test_command_line() -> None:
    with RealNetwork() as network:
        service = network.serve(Shop)
        with network.context().locate("com.example.shop") as shop:
            shop.invoke("buy", {"what": "apple"})
        shown = CliRunner().invoke(main, ["stats", service.address])
        assert shown.exit_code == 0
        first, second = shown.output.splitlines()
        assert first.endswith(" s, 0 calls in flight")
        assert second.startswith("com.example.shop.buy\t1 calls\t0 errors\tp50 ")
        assert '"uptime"' in CliRunner().invoke(main, ["stats", service.address, "--json"]).output


def test_percentiles() -> None:
    histogram, values = Histogram(), [random.expovariate(0.1) for _ in range(10_000)]
    assert histogram.percentile(0.5) == 0
    for value in values:
        histogram.add(value)
    values.sort()
    for part in (0.01, 0.5, 0.9, 0.99):
        exact = values[int(part * len(values))]
        assert exact / STEP**1.1 <= histogram.percentile(part) <= exact * STEP**1.1
    assert histogram.percentile(1) == values[-1]
    one = Histogram()
    one.add(0.0)
    assert one.percentile(0.99) == 0
