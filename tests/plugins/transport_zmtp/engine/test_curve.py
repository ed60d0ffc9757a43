"""The mechanism CURVE: with libzmq, and against those who do not play by its rules."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import ANY

import pytest
import zmq
from nacl import bindings
from zmq.utils import z85
from zmtp_peers import (
    accepted,
    connected,
    curve_client,
    curve_keys,
    curve_server,
    hangs_up,
    libzmq,
    pair,
    plain,
    wire,
)

from pycom_plugins.transport_zmtp.engine import (
    Connection,
    Null,
    Ping,
    Pong,
    ProtocolError,
    Ready,
    Refused,
    TooBig,
)
from pycom_plugins.transport_zmtp.engine.curve import CurveClient, CurveServer

SERVER, SERVER_SECRET = curve_keys("server")
CLIENT, CLIENT_SECRET = curve_keys("client")
BIG = bytes(range(256)) * 4096
FRAMES = [b"", b"CALL", b"x" * 222, b"y" * 223, b"z" * 65503, b"w" * 65535, b"v" * 65536, BIG]


def curve_pair(**limits: Any) -> tuple[Connection, Connection]:
    return pair(curve_client(), curve_server(), **limits)


def dealer() -> Connection:
    return Connection("DEALER", curve_client(), metadata={"X-PyCOM": b"cancel"})


def router() -> Connection:
    return Connection("ROUTER", curve_server(), as_server=True)


# With libzmq


@pytest.mark.parametrize("piece", [1009, 65536])
def test_client_talks_to_server_of_libzmq(piece: int) -> None:
    options = {"curve_server": True, "curve_secretkey": z85.encode(SERVER_SECRET)}
    with (
        libzmq(zmq.ROUTER, **options) as sock,
        connected(sock, dealer(), piece) as wire,
    ):
        ready = wire.ready()
        assert (ready.socket_type, ready.key, ready.version) == ("ROUTER", SERVER, (3, 1))
        wire.send(*FRAMES)
        name, *frames = sock.recv_multipart(copy=False)
        assert [frame.bytes for frame in frames] == FRAMES
        assert frames[0].get("X-PyCOM") == "cancel"
        for _ in range(2):
            sock.send_multipart([name.bytes, *FRAMES])
            assert wire.message() == FRAMES
        wire.send_bytes(wire.connection.ping(10, b"context"))
        assert wire.next() == Pong(b"context")


@pytest.mark.parametrize("piece", [1009, 65536])
def test_server_talks_to_client_of_libzmq(piece: int) -> None:
    options = {
        "curve_serverkey": z85.encode(SERVER),
        "curve_publickey": z85.encode(CLIENT),
        "curve_secretkey": z85.encode(CLIENT_SECRET),
        "routing_id": b"you",
        "heartbeat_ivl": 20,
        "heartbeat_timeout": 10_000,
        "heartbeat_ttl": 5000,
    }
    with libzmq(zmq.DEALER, **options) as sock, accepted(sock, router, piece) as wire:
        ready = wire.ready()
        assert (ready.socket_type, ready.routing_id, ready.key) == ("DEALER", b"you", CLIENT)
        assert wire.next() == Ping(50, b"")
        for _ in range(2):
            sock.send_multipart(FRAMES)
            while isinstance(event := wire.next(), Ping):
                pass
            assert plain(event) == FRAMES
            wire.send(*FRAMES)
            assert sock.recv_multipart() == FRAMES


def test_client_of_libzmq_with_another_key_of_the_server_is_told() -> None:
    other, _ = bindings.crypto_box_keypair()
    options = {
        "curve_serverkey": z85.encode(other),
        "curve_publickey": z85.encode(CLIENT),
        "curve_secretkey": z85.encode(CLIENT_SECRET),
    }
    with libzmq(zmq.DEALER, **options) as sock, accepted(sock, router) as wire, hangs_up(sock):
        with pytest.raises(ProtocolError, match="HELLO is for another key"):
            wire.next()
        wire.send_bytes(wire.connection.outgoing())  # libzmq closes at an ERROR, not this side


# Between engines


def test_each_side_learns_the_key_of_the_other() -> None:
    one, two = dealer(), router()
    two.receive(one.greeting())
    one.receive(two.greeting())
    two.receive(one.outgoing())
    one.receive(two.outgoing())
    [ready] = two.receive(one.outgoing())
    assert isinstance(ready, Ready)
    assert (ready.key, ready.metadata["x-pycom"]) == (CLIENT, b"cancel")
    [ready] = one.receive(two.outgoing())
    assert isinstance(ready, Ready)
    assert ready.key == SERVER


def test_nothing_of_a_message_is_seen_on_the_wire() -> None:
    one, two = curve_pair()
    data = wire(one, [b"secret text", b"other secret"])
    assert b"secret" not in data
    assert two.receive(data) == [[b"secret text", b"other secret"]]


def test_views_of_any_shape_are_sealed() -> None:
    one, two = curve_pair()
    items = memoryview(b"abcdefgh").cast("I")
    assert two.receive(wire(one, [items, bytearray(b"b"), memoryview(b"a-b-")[::2]])) == [
        [b"abcdefgh", b"b", b"ab"]
    ]


def test_large_bodies_are_views() -> None:
    one, two = curve_pair()
    [message] = two.receive(wire(one, [b"w" * 65535, b"v" * 65536]))
    assert isinstance(message, list)
    assert [type(frame) for frame in message] == [bytes, memoryview]


def test_large_body_is_received_in_place() -> None:
    one, two = curve_pair()
    data = wire(one, [b"head", BIG])
    at = len(data) - len(BIG)
    assert two.receive(data[:at]) == []
    target = two.target()
    assert target is not None
    assert len(target) == len(BIG)
    target[:] = data[at:]
    [message] = two.filled(len(target))
    assert plain(message) == [b"head", BIG]


def test_ping_is_sealed_and_answered_between_frames_of_a_message() -> None:
    one, two = curve_pair()
    head = wire(one, [b"a", b""])[: 2 + 33 + 1]
    assert two.receive(head) == []
    one._mechanism._sent = 4  # type: ignore[attr-defined] # the empty frame was not sent
    assert two.receive(one.ping(7, b"c")) == [Ping(7, b"c")]
    assert one.receive(two.outgoing()) == [Pong(b"c")]
    assert two.receive(wire(one, [b"b"])) == [[b"a", b"b"]]


def test_limits_are_those_of_what_is_sealed() -> None:
    one, two = curve_pair(max_message_size=300, max_frames=3)
    assert two.receive(wire(one, [b"x" * 300])) == [[b"x" * 300]]
    assert two.receive(wire(one, [b"id", b"x" * 299])) == [TooBig([b"id"], 301, ANY, ANY)]
    one, two = curve_pair(max_message_size=100)
    assert two.receive(wire(one, [b"id", b"x" * 99])) == [TooBig([b"id"], 101, ANY, ANY)]
    one, two = curve_pair(max_message_size=100)
    assert two.receive(b"\x02" + (2**40).to_bytes(8, "big")) == [TooBig([], 2**40 - 33, ANY, ANY)]
    one, two = curve_pair(max_frames=2)
    assert two.receive(wire(one, [b"a", b"b", b"c"])) == [TooBig([b"a", b"b"], 3, ANY, ANY)]
    one.receive(wire(two, [b"a", b"too big"]))


def test_error_refuses_a_client_after_its_key_is_known() -> None:
    one, two = dealer(), router()
    two.receive(one.greeting())
    one.receive(two.greeting())
    two.receive(one.outgoing())
    one.receive(two.outgoing())
    assert two.receive(one.outgoing())
    with pytest.raises(Refused, match="the peer refused: no entry"):
        one.receive(two.error("no entry"))
    assert two.outgoing() == b""
    assert one.outgoing() == b""


def test_client_says_no_error() -> None:
    one = dealer()
    one.receive(router().greeting())
    assert one.error("reason") == b""


def test_server_of_another_key_is_a_fault() -> None:
    one = dealer()
    impostor = Connection("ROUTER", CurveServer(*bindings.crypto_box_keypair()), as_server=True)
    impostor.receive(one.greeting())
    one.receive(impostor.greeting())
    with pytest.raises(ProtocolError, match="HELLO is for another key"):
        impostor.receive(one.outgoing())
    with pytest.raises(Refused):
        one.receive(impostor.outgoing())


def test_null_and_curve_do_not_meet() -> None:
    two = router()
    with pytest.raises(ProtocolError, match="the peer's mechanism is 'NULL', ours is 'CURVE'"):
        two.receive(Connection("DEALER", Null()).greeting())
    assert two.outgoing() == b""


def test_keys_have_32_bytes() -> None:
    for arguments in (
        (b"x" * 31, CLIENT, CLIENT_SECRET),
        (SERVER, CLIENT, b""),
        (SERVER, b"", b""),
    ):
        with pytest.raises(ValueError, match="A key of CURVE has 32 bytes"):
            CurveClient(*arguments)
    with pytest.raises(ValueError, match="A key of CURVE has 32 bytes"):
        CurveServer(SERVER, SERVER_SECRET[:-1])


# Against bent handshakes: each byte of each command matters, and each cut


def commands() -> list[tuple[Connection, bytes]]:
    """For each step of the handshake: who takes it, and its bytes."""
    steps = []
    for count in range(4):
        one, two = dealer(), router()
        two.receive(one.greeting())
        one.receive(two.greeting())
        takers = [two, one, two, one]
        givers = [one, two, one, two]
        for taker, giver in zip(takers[:count], givers, strict=False):
            taker.receive(giver.outgoing())
        steps.append((takers[count], givers[count].outgoing()))
    return steps


@pytest.mark.parametrize("step", range(4))
def test_each_changed_byte_of_the_handshake_is_a_fault(step: int) -> None:
    length = len(commands()[step][1])
    for at in range(2, length, 7):
        taker, data = commands()[step]
        bent = data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]
        with pytest.raises(ProtocolError):
            taker.receive(bent)
        assert not taker.ready


@pytest.mark.parametrize("step", range(4))
def test_shorter_and_longer_commands_are_faults(step: int) -> None:
    for change in (-1, 1, -100):
        taker, data = commands()[step]
        long = data[0] & 2
        body = data[9:] if long else data[2:]
        body = body[:change] if change < 0 else body + bytes(change)
        head = b"\x06" + len(body).to_bytes(8, "big") if long else bytes((4, len(body)))
        with pytest.raises(ProtocolError):
            taker.receive(head + body)


def test_each_command_has_its_turn() -> None:
    hello, welcome, initiate, ready = [data for _, data in commands()]
    for step, wrong in [
        (0, [welcome, initiate, ready]),
        (1, [hello, initiate, ready]),
        (2, [hello, welcome, ready]),
        (3, [hello, welcome, initiate]),
    ]:
        for data in wrong:
            taker, _ = commands()[step]
            with pytest.raises(ProtocolError):
                taker.receive(data)


def test_key_that_is_not_the_callers_own_is_a_fault() -> None:
    mechanism = curve_client()
    one = Connection("DEALER", mechanism)
    two = router()
    two.receive(one.greeting())
    one.receive(two.greeting())
    two.receive(one.outgoing())
    mechanism._public = bindings.crypto_box_keypair()[0]  # claims a key that is not its own
    one.receive(two.outgoing())
    with pytest.raises(ProtocolError, match="vouch does not open"):
        two.receive(one.outgoing())


def test_vouch_for_another_server_or_connection_is_a_fault() -> None:
    mechanism = curve_server()
    one, two = dealer(), Connection("ROUTER", mechanism, as_server=True)
    two.receive(one.greeting())
    one.receive(two.greeting())
    two.receive(one.outgoing())
    one.receive(two.outgoing())
    mechanism._public = CLIENT
    with pytest.raises(ProtocolError, match="vouch is for another connection or another server"):
        two.receive(one.outgoing())


def test_ready_without_a_box_is_a_fault() -> None:
    taker, _ = commands()[3]
    with pytest.raises(ProtocolError, match="malformed READY"):
        taker.receive(b"\x04\x0e\x05READY" + bytes(8))


def test_zero_point_as_a_key_is_a_fault() -> None:
    two = router()
    two.receive(dealer().greeting())
    with pytest.raises(ProtocolError):
        two.receive(b"\x04\xc8\x05HELLO\x01\x00" + bytes(200 - 8))


# Against bent traffic


def test_each_changed_byte_of_a_message_is_a_fault() -> None:
    one, two = curve_pair()
    length = len(wire(one, [b"text"]))
    for at in range(2, length):
        one, two = curve_pair()
        before, data = wire(one, [b"before"]), wire(one, [b"text"])
        bent = data[:at] + bytes((data[at] ^ 0x10,)) + data[at + 1 :]
        with pytest.raises(ProtocolError) as caught:
            two.receive(before + bent)
        assert caught.value.events == [[b"before"]]
        assert two.outgoing() == b""


def test_changed_large_body_is_a_fault_where_it_was_received_in_place() -> None:
    one, two = curve_pair()
    data = wire(one, [BIG])
    two.receive(data[:100])
    target = two.target()
    assert target is not None
    target[:] = data[100:-1] + bytes((data[-1] ^ 1,))
    with pytest.raises(ProtocolError, match="MESSAGE does not open"):
        two.filled(len(target))
    assert two.target() is None
    assert two.receive(wire(one, [b"after"])) == []


def swapped(one: Connection) -> bytes:
    first, second = wire(one, [b"a"]), wire(one, [b"b"])
    return second + first


@pytest.mark.parametrize(
    "replay", [lambda one: wire(one, [b"a"]) * 2, swapped], ids=["again", "swapped"]
)
def test_nonces_only_rise(replay: Callable[[Connection], bytes]) -> None:
    one, two = curve_pair()
    with pytest.raises(ProtocolError, match="the peer used the nonce [34] after [34]"):
        two.receive(replay(one))


def test_message_of_one_direction_does_not_open_in_the_other() -> None:
    one, _ = curve_pair()
    with pytest.raises(ProtocolError, match="does not open"):
        one.receive(wire(one, [b"mirror"]))


def test_each_combination_of_outer_flags() -> None:
    for flags in range(256):
        one, two = curve_pair()
        body = wire(one, [b"x"])[2:]
        size = bytes((len(body),)) if not flags & 2 else len(body).to_bytes(8, "big")
        data = bytes((flags,)) + size + body
        if flags in (0, 2, 4, 6):  # RFC 25 has MESSAGE as a command, libzmq as a message
            assert two.receive(data) == [[b"x"]]
        else:
            with pytest.raises(ProtocolError, match="flags"):
                two.receive(data)


def test_each_combination_of_sealed_flags() -> None:
    expected = {0: [[b"\x04ABCD"], [b"z"]], 1: [[b"\x04ABCD", b"z"]], 2: [[b"z"]]}
    for flags in range(256):
        one, two = curve_pair()
        pieces: list[bytes] = []
        one._mechanism._seal(bytes((flags,)) + b"\x04ABCD", pieces)  # type: ignore[attr-defined]
        data = b"".join(pieces) + wire(one, [b"z"])
        if flags in expected:
            assert two.receive(data) == expected[flags]
        else:
            with pytest.raises(ProtocolError, match=f"sealed a frame with flags {flags:#x}"):
                two.receive(data)


@pytest.mark.parametrize("data", [b"\x00\x00", b"\x00\x05hello", b"\x04\x07\x04PING\0\0"])
def test_what_is_not_sealed_is_a_fault(data: bytes) -> None:
    _, two = curve_pair()
    with pytest.raises(ProtocolError, match="where all is sealed"):
        two.receive(data)


def test_importing_the_engine_does_not_load_libsodium() -> None:
    script = "import sys, pycom_plugins.transport_zmtp.engine; print('nacl' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "False\n"
