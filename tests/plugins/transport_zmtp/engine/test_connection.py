"""The states of a connection, by bytes alone."""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY

import pytest
from zmtp_peers import curve_client, curve_server, pair, plain, wire

from pycom_plugins.transport_zmtp.engine import (
    Connection,
    Null,
    OldPeer,
    Ping,
    ProtocolError,
    Ready,
    Refused,
    TooBig,
)

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01NULL".ljust(23, b"\0") + bytes(32)
KIB_64 = 64 * 1024


def server(**limits: Any) -> Connection:
    return Connection("ROUTER", Null(), as_server=True, **limits)


def command(name: bytes, data: bytes = b"", flags: int = 4) -> bytes:
    body = bytes((len(name),)) + name + data
    return bytes((flags, len(body))) + body


def prop(name: bytes, value: bytes) -> bytes:
    return bytes((len(name),)) + name + len(value).to_bytes(4, "big") + value


READY = command(b"READY", prop(b"Socket-Type", b"DEALER") + prop(b"Identity", b""))


def fault(connection: Connection, data: bytes) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        connection.receive(data)
    return caught.value


# The greeting


def test_greeting_is_complete_and_has_version_mechanism_and_role() -> None:
    assert server().greeting() == GREETING


def test_greeting_may_come_byte_by_byte() -> None:
    router = server()
    for byte in GREETING:
        assert router.receive(bytes((byte,))) == []
        assert router.outgoing() == b""
    events = [event for byte in READY for event in router.receive(bytes((byte,)))]
    assert [type(event) for event in events] == [Ready]
    assert router.outgoing().startswith(b"\x04\x29\x05READY")


def test_newer_version_is_taken_as_ours() -> None:
    router = server()
    [ready] = router.receive(GREETING[:10] + b"\x04\x07" + GREETING[12:] + READY)
    assert isinstance(ready, Ready)
    assert ready.version == (4, 7)


def test_padding_of_the_greeting_has_no_meaning() -> None:
    assert server().receive(b"\xff\x01\x02\x03\x04\x05\x06\x07\x08" + GREETING[9:] + READY)


@pytest.mark.parametrize(
    ("start", "version"),
    [
        (b"\x01\x00", "1.0"),  # libzmq 2: an anonymous peer
        (b"\x05\x00", "1.0"),
        (b"\xff" + bytes(6) + b"\x01\x2c\x00", "1.0"),  # a name of 299 bytes
        (b"\xff" + bytes(7) + b"\x01\x7f\x00", "1.0"),
        (b"\xff" + bytes(7) + b"\x01\x7f\x01", "2.0"),  # libzmq 3
    ],
)
def test_old_peer_is_told_apart_whatever_the_pieces(start: bytes, version: str) -> None:
    for size in (1, len(start)):
        router = server()
        *pieces, last = [start[at : at + size] for at in range(0, len(start), size)]
        for piece in pieces:
            router.receive(piece)
        with pytest.raises(OldPeer, match=rf'ZMTP {version}.* transport = \["zmq"\]'):
            router.receive(last)
        assert router.outgoing() == b""


def test_stranger_is_no_peer() -> None:
    error = fault(server(), b"GET / HTTP/1.1\r\n\r\n")
    assert error.reason == "the peer does not speak ZMTP: it began with b'GET / HT'"
    assert not isinstance(error, OldPeer)


@pytest.mark.parametrize("name", [b"PLAIN", b"CURVE", b"", b"NULLX", b"\xff\xfe", b"NULL\0X"])
def test_other_mechanism_is_a_fault_without_words(name: bytes) -> None:
    router = server()
    error = fault(router, GREETING[:12] + name.ljust(20, b"\0") + GREETING[32:])
    assert "mechanism" in error.reason
    assert router.outgoing() == b""


# The handshake


def test_metadata_arrives_with_names_in_any_case() -> None:
    router = server()
    told = prop(b"socket-TYPE", b"REQ") + prop(b"IDENTITY", b"id") + prop(b"X-a", b"\0\xff")
    [ready] = router.receive(GREETING + command(b"READY", told))
    assert isinstance(ready, Ready)
    assert (ready.socket_type, ready.routing_id, ready.key) == ("REQ", b"id", None)
    assert ready.metadata["x-A"] == b"\0\xff"
    assert "X-A" in ready.metadata


@pytest.mark.parametrize(
    "told",
    [
        prop(b"Identity", b""),
        prop(b"Socket-Type", b"PUB"),
        prop(b"Socket-Type", b"\xff"),
        prop(b"Socket-Type", b"REQ") + prop(b"Identity", b"\0auto"),
        prop(b"Socket-Type", b"REQ") + prop(b"Identity", b"x" * 256),
        prop(b"Socket-Type", b"REQ") + prop(b"SOCKET-Type", b"REQ"),
        prop(b"Socket-Type", b"REQ") + prop(b"", b""),
        prop(b"Socket-Type", b"REQ") + prop(b"a b", b""),
        prop(b"Socket-Type", b"REQ")[:-1],
        prop(b"Socket-Type", b"REQ") + b"\x01",
        prop(b"Socket-Type", b"REQ") + b"\x01a\xff\xff\xff\xff",
        prop(b"Socket-Type", b"REQ") + b"".join(prop(b"%d" % n, b"") for n in range(64)),
    ],
)
def test_bad_metadata_is_answered_with_error(told: bytes) -> None:
    router = server()
    body = b"\x05READY" + told
    fault(router, GREETING + b"\x06" + len(body).to_bytes(8, "big") + body)
    answer = router.outgoing()
    assert answer[2:8] == b"\x05ERROR"
    assert answer[8] == len(answer) - 9 > 10
    assert router.receive(READY) == []


@pytest.mark.parametrize(
    "frame",
    [
        b"\x00\x05hello",
        b"\x05\x06\x05READY",
        b"\x14\x06\x05READY",
        b"\x84\x06\x05READY",
        b"\x04\x00",
        b"\x04\x01\x00",
        b"\x04\x06\x06READY",
        command(b"HELLO", bytes(194)),
        command(b"PING", b"\0\0"),
        b"\x06" + (8193).to_bytes(8, "big"),
        b"\x06" + b"\xff" * 8,
    ],
)
def test_anything_but_ready_is_a_fault_before_it_is_stored(frame: bytes) -> None:
    router = server()
    fault(router, GREETING + frame)
    assert router.outgoing()[2:8] == b"\x05ERROR"


@pytest.mark.parametrize(
    ("reason", "shown"),
    [(b"", "no reason"), (b"no entry", "no entry"), (b"\xff\n\x1b[31m", r"\xff\n\x1b[31m")],
)
def test_error_of_the_peer_is_a_refusal_with_its_reason(reason: bytes, shown: str) -> None:
    dealer = Connection("DEALER", Null())
    error = fault(dealer, GREETING + command(b"ERROR", bytes((len(reason),)) + reason))
    assert isinstance(error, Refused)
    assert error.reason == f"the peer refused: {shown}"
    assert dealer.outgoing() == b""


def test_error_takes_the_place_of_the_answer_that_would_let_in() -> None:
    router = server()
    [ready] = router.receive(GREETING + READY)
    assert isinstance(ready, Ready)
    assert router.error("not you") == b"\x04\x0e\x05ERROR\x07not you"
    assert router.outgoing() == b""
    assert router.receive(b"\0\0") == []


def test_error_is_not_said_before_the_greeting_nor_after_the_answer() -> None:
    assert server().error("too early") == b""
    router = server()
    router.receive(GREETING + READY)
    assert router.outgoing()
    assert router.error("too late") == b""
    dealer = Connection("DEALER", Null())
    dealer.receive(GREETING)
    assert dealer.outgoing()
    assert dealer.error("too late") == b""


def test_reason_of_an_error_is_cut_and_ascii() -> None:
    router = server()
    router.receive(GREETING)
    told = router.error("é" * 300)
    assert told == b"\x06" + (262).to_bytes(8, "big") + b"\x05ERROR\xff" + b"?" * 255


# Messages


def test_message_in_the_bytes_of_the_handshake_comes_after_ready() -> None:
    router = server()
    ready, message = router.receive(GREETING + READY + b"\x01\x00\x00\x02hi")
    assert isinstance(ready, Ready)
    assert message == [b"", b"hi"]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_nothing_is_kept_of_what_was_received(kind: Any) -> None:
    dealer, router = pair()
    data = bytearray(wire(dealer, [b"a" * 200, b"b" * 1000, b"c" * KIB_64]))
    buffer = memoryview(data) if kind is memoryview else kind(data)
    [message] = router.receive(buffer)
    data[:] = bytes(len(data))
    assert plain(message) == [b"a" * 200, b"b" * 1000, b"c" * KIB_64]
    assert isinstance(message, list)
    assert [type(frame) for frame in message] == [bytes, bytes, memoryview]


def test_large_body_is_received_in_place() -> None:
    dealer, router = pair()
    body = bytes(range(256)) * 1024
    data = wire(dealer, [b"head", body, b"tail"])
    assert router.target() is None
    assert router.receive(data[:100]) == []
    at = 100
    while (target := router.target()) is not None:
        count = min(1000, len(target))
        target[:count] = data[at : at + count]
        assert router.filled(count) == []
        at += count
    [message] = router.receive(data[at:])
    assert plain(message) == [b"head", body, b"tail"]


def test_two_large_bodies_have_storage_of_their_own() -> None:
    dealer, router = pair()
    [message] = router.receive(wire(dealer, [b"a" * KIB_64, b"b" * KIB_64]))
    assert plain(message) == [b"a" * KIB_64, b"b" * KIB_64]


def test_small_frames_leave_in_one_piece_and_large_ones_as_they_are() -> None:
    dealer, _ = pair()
    large = bytearray(KIB_64)
    head, body, tail = dealer.encode([b"a", large, memoryview(b"b"), bytearray(b"c" * 300)])
    assert head == b"\x01\x01a\x03" + KIB_64.to_bytes(8, "big")
    assert body is large
    assert tail == b"\x01\x01b\x02" + (300).to_bytes(8, "big") + b"c" * 300
    view = memoryview(large)
    [_, body] = dealer.encode([view])
    assert isinstance(body, memoryview)
    assert body.obj is large


def test_views_of_any_shape_are_sent_as_their_bytes() -> None:
    dealer, router = pair()
    items = memoryview(b"abcdefgh").cast("I")
    rows = memoryview(b"abcdefgh").cast("B", (2, 4))
    skipping = memoryview(b"a-b-c-")[::2]
    [message] = router.receive(wire(dealer, [items, rows, skipping, memoryview(b"").cast("I")]))
    assert message == [b"abcdefgh", b"abcdefgh", b"abc", b""]


# Limits


@pytest.mark.parametrize(
    ("frames", "came", "size"),
    [
        ([b"id", b"", b"x" * 99], 2, 101),
        ([b"id", b"", b"x" * 1000], 2, 1002),
        ([b"x" * 60, b"x" * 60, b"x"], 1, 120),
        ([b"id", b"x" * KIB_64], 1, 2 + KIB_64),
    ],
)
def test_message_over_its_limit_is_told_with_its_envelope(
    frames: list[bytes], came: int, size: int
) -> None:
    dealer, router = pair(max_message_size=100)
    assert router.receive(wire(dealer, [b"x" * 100])) == [[b"x" * 100]]
    data = wire(dealer, frames)
    assert router.receive(wire(dealer, [b"ok"]) + data) == [
        [b"ok"],
        TooBig(frames[:came], size, ANY, ANY),
    ]
    assert router.receive(wire(dealer, [b"ok"])) == []
    assert router.target() is None
    dealer.receive(wire(router, [b"id", b"", b"too big"]))


def test_size_is_told_before_the_body_comes() -> None:
    _, router = pair(max_message_size=1000)
    assert router.receive(b"\x01\x02id\x02" + (2**62).to_bytes(8, "big")) == [
        TooBig([b"id"], 2**62 + 2, ANY, ANY)
    ]


def test_frames_of_a_message_are_counted() -> None:
    dealer, router = pair(max_frames=3)
    assert router.receive(wire(dealer, [b"a", b"b", b"c"])) == [[b"a", b"b", b"c"]]
    assert router.receive(wire(dealer, [b"a", b"b", b"c", b"d"])) == [
        TooBig([b"a", b"b", b"c"], 4, ANY, ANY)
    ]
    dealer, router = pair(max_frames=3)
    long = b"x" * 300
    assert router.receive(wire(dealer, [long] * 4)) == [TooBig([long] * 3, 1200, ANY, ANY)]


@pytest.mark.parametrize(
    ("frames", "problem", "limit"),
    [
        ([b"x" * 300], "it has a frame of 300 bytes", 200),
        ([b"x" * 150] * 3, "it has 450 bytes or more", 400),
        ([b"x"] * 9, "it has more than 8 frames", None),
        ([b"x" * 150] * 9, "it has 450 bytes or more", 400),
    ],
)
def test_problem_of_a_message_that_is_too_big(
    frames: list[bytes], problem: str, limit: int | None
) -> None:
    dealer, router = pair(max_message_size=400, max_frame_size=200, max_frames=8)
    [event] = router.receive(wire(dealer, frames))
    assert isinstance(event, TooBig)
    assert (event.problem, event.limit) == (problem, limit)


def test_message_is_begun_from_its_first_byte_to_its_last() -> None:
    dealer, router = pair()
    assert not router.is_within_message
    data = wire(dealer, [b"a", b"", b"x" * 300, b"x" * KIB_64])
    for size in range(1, len(data)):
        _, router = pair()
        router.receive(data[:size])
        assert router.is_within_message
        if size > 400:
            break
    router.receive(data[size:])
    assert not router.is_within_message


def test_without_a_limit_the_system_is_the_limit() -> None:
    _, router = pair()
    assert router.receive(b"\x02" + (2**63 - 1).to_bytes(8, "big")) == [
        TooBig([], 2**63 - 1, ANY, ANY)
    ]


def test_announced_room_is_not_taken_before_it_is_filled() -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, router = pair()
    router.receive(b"\x02" + (2**30).to_bytes(8, "big"))
    target = router.target()
    assert target is not None
    assert len(target) == 2**30
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


# Flags and commands in traffic


@pytest.mark.parametrize("started", [b"", b"\x01\x01a"])
def test_each_combination_of_flags(started: bytes) -> None:
    begun = [b"a"] if started else []
    for flags in range(256):
        _, router = pair()
        size = b"\x05" if not flags & 2 else (5).to_bytes(8, "big")
        data = started + bytes((flags,)) + size + b"\x04ABCD" + b"\x00\x01z"
        if flags > 7 or flags & 5 == 5:
            error = fault(router, data)
            assert error.reason == f"the peer sent a frame with flags {flags:#x}"
            assert error.events == []
            assert router.outgoing() == b""
        elif flags & 4:
            assert router.receive(data) == [[*begun, b"z"]]
        elif flags & 1:
            assert router.receive(data) == [[*begun, b"\x04ABCD", b"z"]]
        else:
            assert router.receive(data) == [[*begun, b"\x04ABCD"], [b"z"]]


@pytest.mark.parametrize("flags", [0, 1, 2, 3, 4, 6])
@pytest.mark.parametrize("size", [2**63, 2**64 - 1])
def test_bit_63_of_a_size_is_a_fault(flags: int, size: int) -> None:
    _, router = pair()
    data = bytes((flags | 2,)) + size.to_bytes(8, "big")
    assert (
        fault(router, data).reason == f"the peer announced a frame of {size} bytes, which cannot be"
    )


def test_ping_is_answered_and_told_between_frames_of_a_message() -> None:
    dealer, router = pair()
    events = router.receive(b"\x01\x01a" + dealer.ping(300, b"context") + b"\x00\x01b")
    assert events == [Ping(300, b"context"), [b"a", b"b"]]
    assert router.outgoing() == command(b"PONG", b"context")
    assert router.outgoing() == b""


@pytest.mark.parametrize(
    "security", [lambda: (), lambda: (curve_client(), curve_server())], ids=["NULL", "CURVE"]
)
def test_commands_of_one_piece_are_counted(security: Any) -> None:
    dealer, router = pair(*security(), max_commands=1000)
    for _ in range(2):
        pings = b"".join(dealer.ping(0) for _ in range(1000))
        assert len(router.receive(pings + wire(dealer, [b"a"]))) == 1001
    with pytest.raises(ProtocolError, match="more than 1000 commands at once") as caught:
        router.receive(b"".join(dealer.ping(0) for _ in range(1001)))
    assert len(caught.value.events) == 1000


def test_context_of_a_ping_is_cut_as_libzmq_does() -> None:
    _, router = pair()
    assert router.receive(command(b"PING", b"\0\0" + b"x" * 17)) == [Ping(0, b"x" * 16)]
    assert router.outgoing() == command(b"PONG", b"x" * 16)


def test_peer_without_ping_is_not_asked() -> None:
    """libzmq 4.1 hands it to the application, as a message."""
    router = server()
    assert router.ping(10) == b""
    router.receive(GREETING[:11] + b"\x00" + GREETING[12:] + READY)
    assert router.ping(10, b"context") == b""
    assert router.receive(command(b"PING", b"\0\0")) == [Ping(0, b"")]
    assert router.outgoing().endswith(command(b"PONG"))


def test_ping_that_cannot_be_sent() -> None:
    dealer, _ = pair()
    with pytest.raises(ValueError, match="up to 16 bytes"):
        dealer.ping(0, b"x" * 17)
    with pytest.raises(OverflowError):
        dealer.ping(65536)


@pytest.mark.parametrize("name", [b"SUBSCRIBE", b"CANCEL", b"ERROR", b"READY", b"x" * 200])
def test_unknown_commands_are_ignored(name: bytes) -> None:
    _, router = pair()
    assert router.receive(command(name, b"data") + b"\x00\x00") == [[b""]]


@pytest.mark.parametrize(
    "frame",
    [
        b"\x04\x00",
        b"\x04\x01\x00",
        b"\x04\x05\x05PING",
        b"\x04\x06\x04PING\x00",
        b"\x06" + bytes(8),
    ],
)
def test_malformed_command_is_a_fault_after_what_came_before(frame: bytes) -> None:
    dealer, router = pair()
    error = fault(router, wire(dealer, [b"before"]) + frame)
    assert error.events == [[b"before"]]
    assert router.receive(wire(dealer, [b"after"])) == []


def test_large_command_is_a_fault_before_it_is_stored() -> None:
    _, router = pair()
    assert "command of 8193 bytes" in fault(router, b"\x06" + (8193).to_bytes(8, "big")).reason


# Arguments


def test_arguments_that_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="socket_type must be one of DEALER, ROUTER, not 'REQ'"):
        Connection("REQ", Null())
    for routing_id in (b"\0x", b"x" * 256):
        with pytest.raises(ValueError, match="routing id"):
            Connection("DEALER", Null(), routing_id=routing_id)
    with pytest.raises(ValueError, match="named X-..., not 'Identity'"):
        Connection("DEALER", Null(), metadata={"Identity": b"other"})
    with pytest.raises(ValueError, match="cannot be named 'X-é'"):
        Connection("DEALER", Null(), metadata={"X-é": b""})
