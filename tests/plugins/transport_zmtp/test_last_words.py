"""Clients that have a moment to read why their connection ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import helpers
import pytest
from helpers import until
from zmtp_stage import Stage

from pycom_plugins.transport_zmtp import last_words as module

ROOM = memoryview(bytearray(100))


def parting(do: Callable[[socket.socket], Any], make_loop: Any) -> bytes:
    """Part from a client that does something; what it reads until the server closes."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    heard = b""

    async def part() -> None:
        nonlocal heard
        loop = asyncio.get_running_loop()
        closed = loop.create_future()

        def close() -> None:
            loop.remove_reader(ours)
            ours.close()
            closed.set_result(None)

        timer = module.linger(loop, ours, ROOM, close)
        do(theirs)
        await asyncio.wait_for(closed, helpers.PATIENCE)
        timer.cancel()
        while piece := theirs.recv(100):
            heard += piece

    ours.send(b"last words")
    loop = make_loop()
    with ours, theirs:
        loop.run_until_complete(part())
    loop.close()
    return heard


def test_client_that_closes_has_read_all(make_loop: Any) -> None:
    def read_and_close(theirs: socket.socket) -> None:
        theirs.sendall(b"x" * 1000)
        theirs.shutdown(socket.SHUT_WR)

    assert parting(read_and_close, make_loop) == b"last words"


def test_client_that_does_not_close_has_a_moment(
    make_loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LAST_WORDS", 0.05)
    assert parting(lambda theirs: theirs.sendall(b"x" * 1000), make_loop) == b"last words"


def test_who_does_not_close_after_the_last_words_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_LAST_WORDS", 0.1)
    with Stage(frame=1000) as stage, stage.client() as client:
        client.begin(b"x" * 1001)
        assert client.is_ended()
        until(lambda: not stage.connections())
