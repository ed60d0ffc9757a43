"""Pieces that a socket takes arrive whole and in order."""

from __future__ import annotations

import random
import socket
from typing import Any

import pytest

from pycom_plugins.transport_zmtp.outbox import _MOST, Outbox


class Taking:
    """A socket that takes so many bytes of each call, and blocks in between."""

    def __init__(self, *counts: int) -> None:
        self.counts = list(counts)
        self.taken = b""
        self.most = 0

    def sendmsg(self, buffers: Any) -> int:
        pieces = [bytes(buffer) for buffer in buffers]
        self.most = max(self.most, len(pieces))
        return self.send(b"".join(pieces))

    def send(self, data: Any) -> int:
        count = self.counts.pop(0) if self.counts else len(data)
        if not count:
            raise BlockingIOError
        self.taken += bytes(data[:count])
        return min(count, len(data))


def outbox(*counts: int) -> tuple[Outbox, Taking]:
    taking: Any = Taking(*counts)
    return Outbox(taking), taking


def test_nothing_to_send_is_sent() -> None:
    box, taking = outbox()
    assert box.send()
    assert (box.size, box.sent, taking.taken) == (0, 0, b"")


@pytest.mark.parametrize("cut", range(1, 12))
def test_cut_anywhere(cut: int) -> None:
    box, taking = outbox(cut, 0)
    box.put([b"ab", b"", bytearray(b"cde"), memoryview(b"fgh"), b"ijkl"])
    assert box.size == 12
    assert not box.send()
    assert (box.size, box.sent) == (12 - cut, cut)
    box.put([b"m"])
    assert box.send()
    assert taking.taken == b"abcdefghijklm"
    assert (box.size, box.sent) == (0, 13)


def test_more_buffers_than_the_system_takes() -> None:
    box, taking = outbox()
    box.put([b"%d," % number for number in range(3 * _MOST)])
    assert box.send()
    assert taking.most == _MOST
    assert taking.taken == b"".join(b"%d," % number for number in range(3 * _MOST))


def test_any_pieces() -> None:
    chance = random.Random(1)
    for _ in range(200):
        box, taking = outbox(*(chance.choice([0, 1, 2, 5, 100]) for _ in range(20)))
        whole = b""
        while taking.counts or not box.send():
            data = [chance.randbytes(chance.randrange(9)) for _ in range(chance.randrange(6))]
            box.put(data)
            whole += b"".join(data)
            box.send()
            assert box.size == len(whole) - len(taking.taken)
        assert taking.taken == whole


@pytest.mark.parametrize("buffers", [[b"abcd"], [b"ab", b"", memoryview(b"cd")]])
def test_what_is_sent_at_once_does_not_stay(buffers: list[Any]) -> None:
    box, taking = outbox(3, 0)
    assert box.send_at_once(buffers) == 3
    assert box.send_at_once(buffers) == 0
    assert box.send_at_once(buffers) == 4
    assert taking.taken == b"abcabcd"
    assert (box.size, box.sent) == (0, 7)


def test_end_of_the_connection_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        box = Outbox(ours)
        box.put([b"a"])
        with pytest.raises(BrokenPipeError):
            box.send()
