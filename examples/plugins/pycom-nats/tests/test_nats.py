"""The backend, on a real server."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any

import nats
import pytest
from pycom_nats.backend import NatsBackend

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
_buckets = (f"bucket_{number}" for number in itertools.count())


def awaited(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test that is a coroutine."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@pytest.fixture
def url(server: Server) -> str:
    """The URL of an empty bucket."""
    return f"nats://{server.address}/{next(_buckets)}"


class TestContract(NameserverBackendContract):
    ttl = 3.0  # the server counts whole seconds, and ends leases somewhat later

    @pytest.fixture
    def backend_factory(self, url: str) -> Callable[[], NameserverBackend]:
        return lambda: NatsBackend(url)

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


@awaited
async def test_more_records_than_one_answer_holds(url: str) -> None:
    backend = NatsBackend(url)
    records = [ServiceRecord(f"/{number}", ONE.address, ("com.foo",)) for number in range(1100)]
    for record in records:
        await backend.register(record, 600)
    await backend.register(records[0], 600)  # and so it is the last one
    assert sorted(await backend.list(), key=records.index) == records
    await backend.close()


@awaited
async def test_part_of_a_second_counts_as_a_whole_one(url: str) -> None:
    backend = NatsBackend(url)
    await backend.register(ONE, 0.01)
    assert list(await backend.list()) == [ONE]
    await backend.close()


@awaited
async def test_record_that_is_too_large(url: str) -> None:
    backend = NatsBackend(url)
    noise = "".join(chr(33 + number * number * 7919 % 90_001) for number in range(600_000))
    with pytest.raises(BadRequest, match="too large"):
        await backend.register(ServiceRecord("/one", ONE.address, (), {"noise": noise}), 60)
    await backend.register(ONE, 60)
    await backend.close()


@pytest.mark.parametrize(
    ("stop", "go_on"),
    [
        (Server.close, Server.start),
        (
            lambda server: server.halt(),
            lambda server: server.process.send_signal(signal.SIGCONT),
        ),
    ],
    ids=["killed", "hanging"],
)
@awaited
async def test_server_that_goes_and_comes_back(
    stop: Callable[[Server], None], go_on: Callable[[Server], None], tmp_path: Path
) -> None:
    with Server(tmp_path) as server:
        backend = NatsBackend(f"nats://{server.address}", patience=1.0)
        await backend.register(ONE, 600)
        stop(server)
        with pytest.raises(Overloaded):
            await backend.find("com.foo")
        go_on(server)
        assert await found_again(backend) == [ONE]
        await backend.close()


async def found_again(backend: NameserverBackend) -> list[ServiceRecord]:
    """Return the records that are found, once the server answers."""
    while True:
        try:
            return list(await backend.find("com.foo"))
        except Overloaded:
            await asyncio.sleep(0.05)


def test_no_server_stops_the_start() -> None:
    with pytest.raises(
        ConfigurationError, match=r"no NATS with JetStream answers at 127\.0\.0\.1:1: .*Connect"
    ) as refused:
        NatsBackend("nats://user:password@127.0.0.1:1", patience=0.5)
    assert "password" not in str(refused.value)


@awaited
async def test_bucket_that_cannot_hold_leases_stops_the_start(server: Server, url: str) -> None:
    client = await nats.connect(f"nats://{server.address}")
    await client.jetstream().create_key_value(bucket=url.rpartition("/")[2], history=5)
    await client.close()
    with pytest.raises(ConfigurationError, match="cannot hold leases"):
        NatsBackend(url)


def test_server_without_jetstream_stops_the_start(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("accounts: {A: {users: [{user: one, password: one}], jetstream: disabled}}")
    with (
        Server(tmp_path, "-c", str(config)) as server,
        pytest.raises(ConfigurationError, match="no NATS with JetStream answers"),
    ):
        NatsBackend(f"nats://one:one@{server.address}")


@pytest.mark.parametrize("url", ["nats:", "nats://", "nats:///x", "nats://a b", "nats://a/b.c"])
def test_url_that_is_none(url: str) -> None:
    runtime = Runtime(Settings(nameserver_backend=url))
    with pytest.raises(ConfigurationError, match="write nats://HOST:PORT"):
        runtime.nameserver_backend()
    runtime.close()
