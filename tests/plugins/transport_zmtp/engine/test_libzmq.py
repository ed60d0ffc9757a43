"""The engine on plain sockets, with sockets of libzmq at the other end."""

from __future__ import annotations

import pytest
import zmq
from zmtp_peers import accepted, connected, hangs_up, libzmq

from pycom_plugins.transport_zmtp.engine import (
    Connection,
    Mechanism,
    Null,
    Ping,
    Pong,
    ProtocolError,
)

BIG = bytes(range(256)) * 4096
FRAMES = [b"", b"CALL", b"x" * 255, b"y" * 256, b"z" * 65535, b"w" * 65536, BIG]
PIECES = pytest.mark.parametrize("piece", [1009, 65536])


def dealer(**arguments: object) -> Connection:
    return Connection("DEALER", Null(), **arguments)  # type: ignore[arg-type]


def router(mechanism: Mechanism | None = None) -> Connection:
    return Connection("ROUTER", mechanism or Null(), as_server=True)


@PIECES
def test_dealer_talks_to_router_of_libzmq(piece: int) -> None:
    with libzmq(zmq.ROUTER) as sock, connected(sock, dealer(routing_id=b"me"), piece) as wire:
        ready = wire.ready()
        assert (ready.socket_type, ready.routing_id, ready.version) == ("ROUTER", b"", (3, 1))
        wire.send(*FRAMES)
        assert sock.recv_multipart() == [b"me", *FRAMES]
        sock.send_multipart([b"me", *FRAMES])
        assert wire.message() == FRAMES


@PIECES
def test_router_talks_to_dealer_of_libzmq(piece: int) -> None:
    with libzmq(zmq.DEALER, routing_id=b"you") as sock, accepted(sock, router, piece) as wire:
        ready = wire.ready()
        assert (ready.socket_type, ready.routing_id) == ("DEALER", b"you")
        sock.send_multipart(FRAMES)
        assert wire.message() == FRAMES
        wire.send(*FRAMES)
        assert sock.recv_multipart() == FRAMES


def test_router_talks_to_req_of_libzmq() -> None:
    with libzmq(zmq.REQ) as sock, accepted(sock, router) as wire:
        assert wire.ready().socket_type == "REQ"
        for number in range(3):
            sock.send_multipart([b"CALL", b"%d" % number])
            assert wire.message() == [b"", b"CALL", b"%d" % number]
            wire.send(b"", b"OK", b"%d" % number)
            assert sock.recv_multipart() == [b"OK", b"%d" % number]


def test_dealer_talks_to_dealer_of_libzmq() -> None:
    with libzmq(zmq.DEALER) as sock, connected(sock, dealer()) as wire:
        assert wire.ready().socket_type == "DEALER"
        wire.send(b"a", b"b")
        assert sock.recv_multipart() == [b"a", b"b"]
        sock.send(b"c")
        assert wire.message() == [b"c"]


def test_router_talks_to_router_of_libzmq() -> None:
    with libzmq(zmq.ROUTER, routing_id=b"far") as sock, accepted(sock, router) as wire:
        assert (wire.ready().socket_type, wire.connection.ready) == ("ROUTER", True)
        wire.send(b"hello")
        name, body = sock.recv_multipart()
        assert body == b"hello"
        sock.send_multipart([name, b"back"])
        assert wire.message() == [b"back"]


def test_metadata_travels_both_ways() -> None:
    with (
        libzmq(zmq.ROUTER) as sock,
        connected(sock, dealer(metadata={"X-PyCOM": b"cancel,stream"})) as wire,
    ):
        wire.ready()
        wire.send(b"")
        frame = sock.recv_multipart(copy=False)[-1]
        assert frame.get("X-PyCOM") == "cancel,stream"
    with libzmq(zmq.DEALER) as sock:
        sock.set_string(zmq.METADATA, "X-theirs:value")
        with accepted(sock, router) as wire:
            assert wire.ready().metadata["x-Theirs"] == b"value"


def test_ping_of_libzmq_is_answered() -> None:
    options = {"heartbeat_ivl": 20, "heartbeat_timeout": 10_000, "heartbeat_ttl": 5000}
    with libzmq(zmq.DEALER, **options) as sock, accepted(sock, router) as wire:
        wire.ready()
        for _ in range(3):
            assert wire.next() == Ping(50, b"")
        sock.send(b"still here")
        event = wire.next()
        while isinstance(event, Ping):
            event = wire.next()
        assert event == [b"still here"]


def test_libzmq_answers_a_ping() -> None:
    with libzmq(zmq.ROUTER) as sock, connected(sock, dealer()) as wire:
        wire.ready()
        wire.send_bytes(wire.connection.ping(10, b"sixteen bytes...."[:16]))
        assert wire.next() == Pong(b"sixteen bytes...")


def test_libzmq_is_told_that_its_socket_type_is_wrong() -> None:
    with libzmq(zmq.PUB) as sock, accepted(sock, router) as wire, hangs_up(sock):
        with pytest.raises(ProtocolError, match="a ROUTER talks to .*, not to 'PUB'"):
            wire.next()
        wire.send_bytes(wire.connection.outgoing())  # libzmq closes at an ERROR, not this side
