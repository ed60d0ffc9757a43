"""Encrypted connections: the contract of transports, and who is let in by which key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import zmq
from in_process import MakeRuntime, running
from zmq.utils import z85
from zmtp_peers import curve_keys, libzmq
from zmtp_servers import doing, fails
from zmtp_stage import Stage, echo

import pycom
from pycom_core import AccessDenied, Peer, Runtime, ServiceServer, Transport, hookimpl
from pycom_core.testing import TransportContract
from pycom_core.testing.contracts.transports import AMPLE, Factory
from pycom_plugins.transport_zmtp.mechanisms import Clear, Encrypted, Mechanisms
from pycom_plugins.transport_zmtp.transport import ZmtpTransport

SERVER, CLIENT, STRANGER = curve_keys("server"), curve_keys("client"), curve_keys("stranger")


def encrypted(keys: tuple[bytes, bytes] = CLIENT, server: bytes = SERVER[0]) -> Encrypted:
    return Encrypted(*keys, lambda _: server)


class TestEncrypted(TransportContract):
    @pytest.fixture
    def transport_factory(self) -> Factory:
        return lambda: ZmtpTransport(mechanisms=encrypted(SERVER))


class Plugin:
    """Brings the transport with the keys of one program, and lets nobody else in than CLIENT."""

    def __init__(self, mechanisms: Mechanisms) -> None:
        self._mechanisms = mechanisms

    @hookimpl
    def pycom_transports(self) -> Mapping[str, Callable[[Runtime], Transport]]:
        def make(runtime: Runtime) -> Transport:
            return ZmtpTransport(admit=runtime.admit, mechanisms=self._mechanisms)

        return {"keyed": make}

    @hookimpl
    def pycom_admit(self, peer: Peer) -> None:
        if peer.key != CLIENT[0].hex():
            raise AccessDenied(f"the key {peer.key} is not known here")


@pycom.interface("com.foo.who")
class Who(pycom.Service):
    @pycom.method
    def key(self, request: Any) -> Any:
        return request.peer.key


@pytest.fixture
def runtime_with(make_runtime: MakeRuntime) -> Callable[[Mechanisms], Runtime]:
    def make(mechanisms: Mechanisms) -> Runtime:
        return make_runtime({"keys": Plugin(mechanisms)}, transport=("keyed",))

    return make


@pytest.fixture
def address(runtime_with: Callable[[Mechanisms], Runtime]) -> Iterator[str]:
    """That of a service whose key is SERVER."""
    runtime = runtime_with(encrypted(SERVER))
    with running(ServiceServer(["tcp://127.0.0.1:*"], [Who], runtime)) as server:
        yield server.addresses[0]


def test_service_knows_the_key_of_its_caller(
    address: str, runtime_with: Callable[[Mechanisms], Runtime]
) -> None:
    context = pycom.Context(address, runtime=runtime_with(encrypted()))
    assert context.connect(address, "com.foo.who").invoke("key") == CLIENT[0].hex()

    async def asked() -> Any:
        async with pycom.AsyncContext(address, runtime=runtime_with(encrypted())) as own:
            return await (await own.connect(address, "com.foo.who")).invoke("key")

    assert asyncio.run(asked()) == CLIENT[0].hex()


@pytest.mark.parametrize(
    ("mechanisms", "why"),
    [
        pytest.param(encrypted(STRANGER), "is not known here", id="key-that-is-refused"),
        pytest.param(
            encrypted(server=STRANGER[0]), "is for another key", id="server-is-an-impostor"
        ),
        pytest.param(Clear(), "CURVE", id="in-the-clear"),
    ],
)
def test_nothing_is_sent_to_whom_the_keys_do_not_fit(
    mechanisms: Mechanisms,
    why: str,
    address: str,
    runtime_with: Callable[[Mechanisms], Runtime],
) -> None:
    component = pycom.Context(address, runtime=runtime_with(mechanisms)).connect(
        address, "com.foo.who"
    )
    with fails(sent=False, match=why):
        component.invoke("key")


def test_client_with_a_key_sends_nothing_in_the_clear(
    runtime_with: Callable[[Mechanisms], Runtime],
) -> None:
    with Stage(echo) as stage:
        transport = ZmtpTransport(mechanisms=encrypted())
        with fails(sent=False, match="NULL"):
            transport.connect(stage.listener.address).exchange([b"CALL", b"secret"], AMPLE)


def test_program_behind_libzmq_calls(address: str) -> None:
    keys = {
        "curve_serverkey": z85.encode(SERVER[0]),
        "curve_publickey": z85.encode(CLIENT[0]),
        "curve_secretkey": z85.encode(CLIENT[1]),
    }
    with libzmq(zmq.REQ, **keys) as peer:
        peer.connect(address)
        peer.send_multipart([b"CALL", b'{"interface":"com.foo.who","method":"key"}'])
        status, reply = peer.recv_multipart()
    assert status == b"OK"
    assert CLIENT[0].hex().encode() in reply


def test_server_behind_libzmq_is_called() -> None:
    keys = {"curve_server": True, "curve_secretkey": z85.encode(SERVER[1])}
    with libzmq(zmq.ROUTER, **keys) as server:
        port = server.bind_to_random_port("tcp://127.0.0.1")
        channel = ZmtpTransport(mechanisms=encrypted()).connect(f"tcp://127.0.0.1:{port}")

        def answer() -> None:
            sender, _, *payload = server.recv_multipart()
            server.send_multipart([sender, b"", b"OK", *payload])

        with doing(answer):
            big = bytes(1_000_000)
            assert channel.exchange([b"CALL", big], AMPLE) == [b"OK", b"CALL", big]
        channel.close()


def test_secret_key_is_not_shown() -> None:
    assert repr(CLIENT[1]) not in repr(encrypted())
