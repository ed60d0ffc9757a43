"""The backend, on a real server."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pycom_zookeeper.backend import ZooKeeperBackend

from pycom_core import (
    BadRequest,
    ConfigurationError,
    NameserverBackend,
    Overloaded,
    Request,
    Runtime,
    ServiceRecord,
    Settings,
    interface,
    method,
)
from pycom_core.testing import Clock, NameserverBackendContract, RealNetwork

from .conftest import Server

ONE = ServiceRecord("/one", "tcp://10.0.0.1:1", ("com.foo",))
_paths = (f"/test/{time.time_ns()}/{number}" for number in itertools.count())


@pytest.fixture
def url(hosts: str) -> str:
    """An empty place for records."""
    return f"zookeeper://{hosts}{next(_paths)}"


class TestContract(NameserverBackendContract):
    ttl = 1.5

    @pytest.fixture
    def backend_factory(self, url: str) -> Callable[[], NameserverBackend]:
        return lambda: ZooKeeperBackend(url)

    async def advance(self, clock: Clock, seconds: float) -> None:
        await asyncio.sleep(seconds)


@interface("com.example.shop")
class Shop:
    @method
    def buy(self, request: Request) -> str:
        return "bought"


def test_nameserver(url: str) -> None:
    with RealNetwork(nameserver_backend=url) as network:
        network.serve(Shop, name="/shop")
        with network.context().locate("com.example.shop") as shop:
            assert shop.invoke("buy") == "bought"


def test_what_is_long_dead_is_cleaned_away(url: str) -> None:
    async def run() -> list[str]:
        backend = ZooKeeperBackend(url)
        await backend.register(ONE, 0.01)
        assert len(await backend._connection.nodes()) == 1
        await asyncio.sleep(0.2)
        assert list(await backend.list()) == []
        left = await backend._connection.nodes()
        await backend.close()
        return left

    assert asyncio.run(run()) == []


def test_record_that_is_too_large(url: str) -> None:
    async def run() -> None:
        backend = ZooKeeperBackend(url)
        noise = "".join(chr(33 + number * number * 7919 % 90_001) for number in range(600_000))
        large = ServiceRecord("/one", ONE.address, (), {"noise": noise})
        with pytest.raises(BadRequest, match="too large"):
            await backend.register(large, 60)
        await backend.register(ONE, 60)
        await backend.close()

    asyncio.run(run())


def test_server_that_hangs_and_comes_back(tmp_path: Path) -> None:
    async def run(server: Server) -> None:
        backend = ZooKeeperBackend(f"zookeeper://{server.address}", patience=1.0)
        await backend.register(ONE, 600)
        server.process.send_signal(signal.SIGSTOP)
        with pytest.raises(Overloaded):
            await backend.find("com.foo")
        server.process.send_signal(signal.SIGCONT)
        for _ in range(30):
            try:
                assert list(await backend.find("com.foo")) == [ONE]
                break
            except Overloaded:
                continue
        else:
            pytest.fail("not found again")
        await backend.close()

    with Server(tmp_path) as server:
        asyncio.run(run(server))


def test_no_server_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"no ZooKeeper answers at 127\.0\.0\.1:1"):
        ZooKeeperBackend("zookeeper://127.0.0.1:1", patience=0.5)


@pytest.mark.parametrize("url", ["zookeeper:", "zookeeper://", "zookeeper:///x", "zookeeper://a b"])
def test_url_that_is_none(url: str) -> None:
    runtime = Runtime(Settings(nameserver_backend=url))
    with pytest.raises(ConfigurationError, match="write zookeeper://HOST:PORT"):
        runtime.nameserver_backend()
    runtime.close()
