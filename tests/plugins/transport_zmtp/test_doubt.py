"""Calls that were given up, and have perhaps not reached the server."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from typing import Any

import pytest
from awaited import awaited, comes_true
from zmtp_channels import begin, connected, replies, warm, wire
from zmtp_servers import fails, is_reset, listening

from pycom_plugins.transport_zmtp import doubt as module
from pycom_plugins.transport_zmtp import places
from pycom_plugins.transport_zmtp.doubt import Doubt


class Owner:
    """A channel that notes how its connection is lost."""

    def __init__(self) -> None:
        self.lost: list[str] = []
        self.doubt = Doubt(self.lose)

    def lose(self, error: Exception) -> None:
        self.lost.append(str(error))
        self.doubt.end()


def looks(
    answers: list[bool | None], monkeypatch: pytest.MonkeyPatch, ends: bool = False
) -> tuple[Owner, list[bool | None]]:
    """The owner of a doubt after a while, and the answers of the system that were not asked for."""
    monkeypatch.setattr(module, "_LOOK", 0.001)
    monkeypatch.setattr(places, "is_cut_off", lambda _: answers.pop(0))
    owner = Owner()

    async def look() -> None:
        with socket.socket() as sock:
            for _ in range(2):
                owner.doubt.begin(sock, asyncio.get_running_loop())
            assert owner.doubt.is_open
            if ends:
                owner.doubt.end()
            await asyncio.sleep(0.05)

    asyncio.run(look())
    return owner, answers


def test_doubt_ends_when_all_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    owner, left = looks([False, False, None, True], monkeypatch)
    assert (owner.lost, left, owner.doubt.is_open) == ([], [True], False)


def test_what_gets_lost_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    owner, left = looks([False, True, True], monkeypatch)
    assert (owner.lost, left) == (["what is sent to it gets lost"], [True])


def test_end_of_the_connection_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    owner, left = looks([True], monkeypatch, ends=True)
    assert (owner.lost, left, owner.doubt.is_open) == ([], [True], False)


def test_it_keeps_its_owner_no_longer() -> None:
    gc.disable()
    try:
        owner = Owner()
        gone = weakref.ref(owner)
        del owner
        assert gone() is None
    finally:
        gc.enable()


@awaited
async def test_calls_given_up_that_do_not_arrive_end_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with listening() as server, connected(server.address) as channel:
        monkeypatch.setattr(places, "is_cut_off", lambda _: True)
        await warm(server, channel)
        late, other = begin(channel, b"late", timeout=50), begin(channel, b"other")
        with fails(sent=True, late=True):
            await late
        with fails(sent=True, match="what is sent to it gets lost"):
            await other
        assert await asyncio.to_thread(is_reset, server.accepted[0])
        again = begin(channel, b"again")
        await replies(await wire(server), b"again")
        assert await again == [b"OK", b"again"]


@pytest.mark.parametrize("answers", [[None], [False, None]])
@awaited
async def test_calls_given_up_that_arrive_leave_the_connection(
    answers: list[bool | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as server, connected(server.address) as channel:
        left = [*answers]
        monkeypatch.setattr(places, "is_cut_off", lambda _: left.pop(0))
        first = await warm(server, channel)
        late, other = begin(channel, b"late", timeout=50), begin(channel, b"other")
        with fails(sent=True, late=True):
            await late
        await comes_true(lambda: not left and not channel._doubt.is_open)
        for _ in range(2):
            await replies(first, b"fine")
        assert await other == [b"OK", b"fine"]


@awaited
async def test_call_given_up_leaves_no_timer_where_the_connection_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failures: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context))
    monkeypatch.setattr(module, "_LOOK", 0.01)
    with listening() as server, connected(server.address) as channel:
        peer = await warm(server, channel)
        late = begin(channel, b"late", timeout=50)
        await asyncio.to_thread(peer.message)
        with fails(sent=True, late=True):
            await late
        channel.close()
        await asyncio.sleep(0.05)
    assert failures == []
