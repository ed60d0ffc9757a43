"""Times of arrival."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from helpers import until

from pycom_plugins.transport_zmtp import clock
from pycom_plugins.transport_zmtp.clock import Clock


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection whose times are watched."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        clock.watch(listening)
        time.sleep(0.05)  # the system begins a moment later
        theirs = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
    with ours, theirs:
        ours.settimeout(10)
        yield ours, theirs


ROOM = memoryview(bytearray(100))


def test_bytes_arrived_when_they_did(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    since = time.monotonic()
    theirs.sendall(b"abc")
    sent = time.monotonic()
    time.sleep(0.2)
    count, arrived = Clock().receive(ours, ROOM, since)
    assert bytes(ROOM[:count]) == b"abc"
    assert since <= arrived < sent + 0.15


@pytest.mark.parametrize("step", [-86_400, -0.1, 0, 0.1, 86_400])
def test_steps_of_the_wall_clock_make_no_difference(
    step: float, pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair
    receiver, since = Clock(), time.monotonic() - 1000
    theirs.sendall(b"abc")
    before = time.monotonic()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + step)
    _, arrived = receiver.receive(ours, ROOM, since)
    assert before - 0.05 <= arrived <= time.monotonic()


class Noted:
    """A socket with bytes that arrived so many s ago, as the system says."""

    def __init__(self, ago: float) -> None:
        self._ago = ago

    def recvmsg_into(self, *_: object) -> tuple[int, list[tuple[int, int, bytes]], int, None]:
        seconds, part = divmod(time.time() - self._ago, 1)
        data = clock._TIME.pack(int(seconds), int(part * 1e9))
        return 3, [(socket.SOL_SOCKET, clock._TIMESTAMPS, data)], 0, None


@pytest.mark.parametrize("ago", [1000, 0.3])
def test_nothing_arrived_before_the_socket_was_empty(ago: float) -> None:
    since = time.monotonic()
    _, arrived = Clock().receive(Noted(ago), ROOM, since)  # type: ignore[arg-type]
    assert arrived == since


def test_nothing_arrives_later_than_it_is_received() -> None:
    since = time.monotonic()
    _, arrived = Clock().receive(Noted(-0.5), ROOM, since)  # type: ignore[arg-type]
    assert since <= arrived <= time.monotonic()


def test_parts_of_a_second_count() -> None:
    now = time.monotonic()
    for _ in range(3):  # at any time of the second
        _, arrived = Clock().receive(Noted(0.4), ROOM, now - 1000)  # type: ignore[arg-type]
        assert now - 0.45 < arrived <= time.monotonic() - 0.35
        time.sleep(0.1)


def test_adjustments_of_the_wall_clock_are_no_step() -> None:
    receiver, now = Clock(), time.monotonic()
    ahead = receiver._ahead
    assert not receiver._was_set(now + 3600, now + 3600 + ahead + 1.8)  # 500 parts of a million
    assert not receiver._was_set(now + 3601, now + 3601 + ahead + 1.8)
    assert receiver._was_set(now + 3602, now + 3602 + ahead)
    assert not receiver._was_set(now + 3603, now + 3603 + ahead)


def test_end_and_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):
        Clock().receive(ours, ROOM, 0)
    theirs.close()

    def ended() -> bool:
        try:
            return Clock().receive(ours, ROOM, 0)[0] == 0
        except BlockingIOError:
            return False

    until(ended)


def test_unix_sockets_have_no_times() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        clock.watch(ours)
        theirs.sendall(b"abc")
        before = time.monotonic()
        count, arrived = Clock().receive(ours, ROOM, 0)
        assert count == 3
        assert before <= arrived <= time.monotonic()
