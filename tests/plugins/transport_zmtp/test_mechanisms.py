"""Encrypted connections: the contract of transports, and who is let in by which key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import msgspec
import pytest
import zmq
from in_process import MakeRuntime, running
from zmq.utils import z85
from zmtp_peers import curve_keys, libzmq
from zmtp_servers import doing, fails
from zmtp_stage import Stage, echo

import pycom
from pycom_core import AccessDenied, Peer, Runtime, ServiceServer, addresses, hookimpl, keys
from pycom_core.keys import KeyPair, Keys
from pycom_core.testing import TransportContract
from pycom_core.testing.contracts.transports import AMPLE, Factory
from pycom_plugins.transport_zmtp.mechanisms import Encrypted
from pycom_plugins.transport_zmtp.transport import ZmtpTransport

MakeWith = Callable[["Keys | None"], Runtime]
SERVER, CLIENT, STRANGER = curve_keys("server"), curve_keys("client"), curve_keys("stranger")


class Known(Keys):
    """Keys of a process that knows one server: the own ones, and that of the server."""

    def __init__(self, own: tuple[bytes, bytes] = CLIENT, server: bytes = SERVER[0]) -> None:
        self._own, self._server = KeyPair(*own), server

    @property
    def own(self) -> KeyPair:
        return self._own

    def of_server(self, address: str) -> bytes:
        key = addresses.parted(address)[1]
        return self._server if key is None else keys.from_text(key)


def encrypted(*known: Any) -> ZmtpTransport:
    return ZmtpTransport(mechanisms=Encrypted(Known(*known)))


class TestEncrypted(TransportContract):
    @pytest.fixture
    def transport_factory(self) -> Factory:
        return lambda: encrypted(SERVER)


@attrs.frozen
class Plugin:
    """Brings keys, and lets nobody else in than CLIENT."""

    _known: Keys | None

    @hookimpl
    def pycom_configure(self, runtime: Runtime) -> None:
        runtime.keys = self._known

    @hookimpl
    def pycom_admit(self, peer: Peer) -> None:
        if peer.key != keys.as_text(CLIENT[0]):
            raise AccessDenied(f"the key {peer.key} is not known here")


@pycom.interface("com.foo.who")
class Who(pycom.Service):
    @pycom.method
    def key(self, request: Any) -> Any:
        return request.peer.key


@pytest.fixture
def runtime_with(make_runtime: MakeRuntime) -> MakeWith:
    def make(known: Keys | None) -> Runtime:
        return make_runtime({"keys": Plugin(known)}, transport=("zmtp",))

    return make


@pytest.fixture
def address(runtime_with: MakeWith) -> Iterator[str]:
    """That of a service whose key is SERVER."""
    runtime = runtime_with(Known(SERVER))
    with running(ServiceServer(["tcp://127.0.0.1:*"], [Who], runtime)) as server:
        yield server.addresses[0]


def test_service_knows_the_key_of_its_caller(address: str, runtime_with: MakeWith) -> None:
    context = pycom.Context(address, runtime=runtime_with(Known()))
    assert context.connect(address, "com.foo.who").invoke("key") == keys.as_text(CLIENT[0])

    async def asked() -> Any:
        async with pycom.AsyncContext(address, runtime=runtime_with(Known())) as own:
            return await (await own.connect(address, "com.foo.who")).invoke("key")

    assert asyncio.run(asked()) == keys.as_text(CLIENT[0])


@pytest.mark.parametrize(
    ("known", "why"),
    [
        pytest.param(Known(STRANGER), "is not known here", id="key-that-is-refused"),
        pytest.param(Known(server=STRANGER[0]), "is for another key", id="server-is-an-impostor"),
        pytest.param(None, "CURVE", id="in-the-clear"),
    ],
)
def test_nothing_is_sent_to_whom_the_keys_do_not_fit(
    known: Keys | None, why: str, address: str, runtime_with: MakeWith
) -> None:
    context = pycom.Context(address, runtime=runtime_with(known))
    component = context.connect(address, "com.foo.who")
    with fails(sent=False, match=why):
        component.invoke("key")


def test_key_behind_an_address_is_the_one_that_counts(address: str, runtime_with: MakeWith) -> None:
    context = pycom.Context(address, runtime=runtime_with(Known(server=STRANGER[0])))
    good = addresses.with_key(address, keys.as_text(SERVER[0]))
    assert context.connect(good, "com.foo.who").invoke("key") == keys.as_text(CLIENT[0])
    with fails(sent=False, match="is for another key"):  # not by the connection that is there
        context.connect(address, "com.foo.who").invoke("key")
    in_clear = pycom.Context(address, runtime=runtime_with(None))
    with fails(sent=False, match="set network and key"):
        in_clear.connect(good, "com.foo.who").invoke("key")


class Forgetful(Known):
    def of_server(self, address: str) -> bytes:
        return {"somewhere": SERVER[0]}[address]


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (Forgetful(), "cannot be told: KeyError"),
        (Known(server=bytes(31)), "cannot be told: ValueError"),
        (Known(server=bytes(32)), "key does not open"),
    ],
)
def test_keys_that_are_none_fail_the_call_at_once(
    known: Keys, why: str, address: str, runtime_with: MakeWith
) -> None:
    runtime = runtime_with(known)
    with fails(sent=False, match=why):
        pycom.Context(address, runtime=runtime).connect(address, "com.foo.who").invoke("key")

    async def ask() -> None:
        async with pycom.AsyncContext(address, runtime=runtime) as context:
            with fails(sent=False, match=why):
                await context.connect(address, "com.foo.who")

    asyncio.run(ask())


def test_client_with_a_key_sends_nothing_in_the_clear() -> None:
    with Stage(echo) as stage, fails(sent=False, match="NULL"):
        encrypted().connect(stage.listener.address).exchange([b"CALL", b"secret"], AMPLE)


def test_program_behind_libzmq_calls(address: str) -> None:
    options = {
        "curve_serverkey": z85.encode(SERVER[0]),
        "curve_publickey": z85.encode(CLIENT[0]),
        "curve_secretkey": z85.encode(CLIENT[1]),
    }
    with libzmq(zmq.REQ, **options) as peer:
        peer.connect(address)
        peer.send_multipart([b"CALL", b'{"interface":"com.foo.who","method":"key"}'])
        status, reply = peer.recv_multipart()
    assert status == b"OK"
    assert msgspec.json.decode(reply)["result"] == keys.as_text(CLIENT[0])


def test_server_behind_libzmq_is_called() -> None:
    options = {"curve_server": True, "curve_secretkey": z85.encode(SERVER[1])}
    with libzmq(zmq.ROUTER, **options) as server:
        port = server.bind_to_random_port("tcp://127.0.0.1")
        channel = encrypted().connect(f"tcp://127.0.0.1:{port}")

        def answer() -> None:
            sender, _, *payload = server.recv_multipart()
            server.send_multipart([sender, b"", b"OK", *payload])

        with doing(answer):
            big = bytes(1_000_000)
            assert channel.exchange([b"CALL", big], AMPLE) == [b"OK", b"CALL", big]
        channel.close()


def test_secret_key_is_not_shown() -> None:
    assert repr(CLIENT[1]) not in repr(KeyPair(*CLIENT))
