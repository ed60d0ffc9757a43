"""The words of libzmq 4.1 and 4.3, torn at each place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from zmtp_peers import Recording, fixed_randomness, plain, recorded_engine, recordings

from pycom_plugins.transport_zmtp.engine import Event, Ping, Ready

RECORDINGS = [
    pytest.param(recording, id=f"{recording.libzmq}-{recording.socket_type}-{recording.mechanism}")
    for recording in recordings()
]
SIZES = {"NULL": [0, 120, 248, 249, 1000, 70_000], "CURVE": [0, 120, 222, 223, 1000]}


def replay(recording: Recording, pieces: Iterable[bytes]) -> tuple[list[object], bytes]:
    """Events, and what is sent, when the recording comes in these pieces."""
    events: list[Event] = []
    with fixed_randomness():
        engine = recorded_engine(recording.socket_type, recording.mechanism)
        sent = b""
        for piece in pieces:
            while piece:
                target = engine.target()
                if target is None:
                    events += engine.receive(piece)
                    piece = b""
                else:
                    count = min(len(target), len(piece))
                    target[:count] = piece[:count]
                    events += engine.filled(count)
                    piece = piece[count:]
                sent += engine.outgoing()
    return [plain(event) for event in events], sent


def cuts(size: int) -> Iterator[int]:
    """Each place in the handshake and near the end, and some within large frames."""
    yield from range(min(size, 900))
    yield from range(900, size, 997)
    yield from range(max(900, size - 300), size)


@pytest.mark.parametrize("recording", RECORDINGS)
def test_recorded_messages_are_understood(recording: Recording) -> None:
    events, sent = replay(recording, [recording.heard])
    ready = events[0]
    assert isinstance(ready, Ready)
    assert ready.socket_type == recording.socket_type
    assert ready.version == ((3, 1) if recording.libzmq > "4.3" else (3, 0))
    assert ready.routing_id == (b"" if recording.socket_type == "ROUTER" else b"recorded")
    delimiter = [] if recording.socket_type == "DEALER" else [b""]
    assert [event for event in events if isinstance(event, list)] == [
        [*delimiter, b"CALL", b"%d" % number, b"x" * size]
        for number, size in enumerate(SIZES[recording.mechanism])
    ]
    pings = [event for event in events if isinstance(event, Ping)]
    assert bool(pings) == (recording.libzmq > "4.2")
    if recording.mechanism == "NULL":
        assert sent.count(b"\x04PONG") == len(pings)


@pytest.mark.parametrize("recording", RECORDINGS)
def test_each_cut_makes_the_same_events(recording: Recording) -> None:
    whole = replay(recording, [recording.heard])
    for at in cuts(len(recording.heard)):
        assert replay(recording, [recording.heard[:at], recording.heard[at:]]) == whole, at


@pytest.mark.parametrize("recording", RECORDINGS)
@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_small_pieces_make_the_same_events(recording: Recording, size: int) -> None:
    heard = recording.heard
    parts = [heard[at : at + size] for at in range(0, len(heard), size)]
    assert replay(recording, parts) == replay(recording, [heard])
