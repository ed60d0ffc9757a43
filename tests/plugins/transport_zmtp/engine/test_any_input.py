"""Properties that hold for whatever is sent and however it is torn."""

from __future__ import annotations

import string
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from zmtp_peers import curve_client, curve_server, pair, plain, wire

from pycom_plugins.transport_zmtp.engine import Connection, Null, ProtocolError, Ready, TooBig

# The sizes at which something changes: the size field, the seal, large bodies, written storage.
_EDGES = [
    near + by
    for near in (0, 222, 255, 256, 64 * 1024 - 33, 64 * 1024, 1024 * 1024)
    for by in (-1, 0, 1)
    if near + by >= 0
]
FRAME = st.one_of(
    st.binary(max_size=300),
    st.builds(
        lambda size, byte: bytes((byte,)) * size, st.sampled_from(_EDGES), st.integers(0, 255)
    ),
)
MESSAGES = st.lists(st.lists(FRAME, min_size=1, max_size=6), min_size=1, max_size=4)
FORMS = st.sampled_from([bytes, bytearray, memoryview])
MECHANISMS = st.sampled_from([(Null, Null), (curve_client, curve_server)])
QUICK = settings(max_examples=60, deadline=None)


def torn(data: bytes, draw: Any) -> list[bytes]:
    """The bytes in pieces, cut at up to six places."""
    at = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]


@QUICK
@given(MESSAGES, FORMS, MECHANISMS, st.booleans(), st.data())
def test_any_frames_come_out_as_they_went_in(
    messages: list[list[bytes]], form: Any, mechanisms: Any, in_place: bool, data: Any
) -> None:
    client, server = mechanisms
    one, two = pair(client(), server())
    sent = b"".join(wire(one, [form(frame) for frame in message]) for message in messages)
    events: list[Any] = []
    for piece in torn(sent, data.draw):
        while piece:
            target = two.target() if in_place else None
            if target is None:
                events += two.receive(form(piece))
                break
            count = min(len(target), len(piece))
            target[:count] = piece[:count]
            events += two.filled(count)
            piece = piece[count:]
    assert [plain(event) for event in events] == messages
    for message in events:
        for frame in message:
            assert type(frame) is (bytes if len(frame) < 64 * 1024 else memoryview)


@QUICK
@given(st.binary(max_size=400), st.booleans(), MECHANISMS, st.data())
def test_any_bytes_are_events_or_protocol_errors_whatever_the_cuts(
    noise: bytes, greeted: bool, mechanisms: Any, data: Any
) -> None:
    def outcome(pieces: list[bytes]) -> tuple[list[Any], str | None]:
        client, server = mechanisms
        if greeted:
            _, two = pair(client(), server(), max_message_size=1000, max_frames=4)
        else:
            two = Connection("ROUTER", server(), as_server=True)
        events: list[Any] = []
        try:
            for piece in pieces:
                events += two.receive(piece)
        except ProtocolError as error:
            # What a stranger began with is quoted as far as it came.
            return events + error.events, error.reason.partition(": it began")[0]
        return events, None

    assert outcome(torn(noise, data.draw)) == outcome([noise])


@st.composite
def traffic(draw: Any) -> bytes:
    """Frames with all flags and true or false sizes."""
    parts = []
    for _ in range(draw(st.integers(1, 8))):
        flags = draw(st.sampled_from([0, 0, 1, 1, 2, 3, 4, 6, 5, 8]))
        body = draw(st.one_of(st.binary(max_size=40), st.just(b"\x04PING\0\1context")))
        size = draw(st.sampled_from([len(body)] * 8 + [255, 2**40, 2**63, 2**64 - 1]))
        parts.append(bytes((flags,)))
        parts.append(size.to_bytes(8, "big") if flags & 2 else bytes((min(size, 255),)))
        parts.append(body)
    return b"".join(parts)


@settings(max_examples=300, deadline=None)
@given(traffic(), st.data())
def test_any_traffic_means_the_same_whatever_the_cuts(sent: bytes, data: Any) -> None:
    def outcome(pieces: list[bytes]) -> tuple[list[Any], bytes, str | None]:
        _, two = pair(max_message_size=100, max_frames=4)
        events: list[Any] = []
        reason, answered = None, b""
        try:
            for piece in pieces:
                events += two.receive(piece)
                answered += two.outgoing()
        except ProtocolError as error:
            events += error.events
            reason = error.reason
        for event in events:
            if isinstance(event, list):
                assert sum(map(len, event)) <= 100
                assert len(event) <= 4
            if isinstance(event, TooBig):
                assert event == events[-1]
                assert sum(map(len, event.frames)) <= 100
        return events, answered + two.outgoing(), reason

    assert outcome(torn(sent, data.draw)) == outcome([sent])


NAME = st.text(string.ascii_uppercase + string.digits + "_.+-", max_size=30).map("X-".__add__)


@QUICK
@given(st.dictionaries(NAME, st.binary(max_size=99), max_size=9))
def test_any_metadata_arrives(metadata: dict[str, bytes]) -> None:
    one = Connection("DEALER", Null(), metadata=metadata)
    two = Connection("ROUTER", Null(), as_server=True)
    one.receive(two.greeting())
    [ready] = two.receive(one.greeting() + one.outgoing())
    assert isinstance(ready, Ready)
    own = {"socket-type": b"DEALER", "identity": b""}
    assert ready.metadata == own | {name.lower(): value for name, value in metadata.items()}
