"""Connecting to one of several places."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import Future
from typing import Any

import pytest
from awaited import awaited
from zmtp_servers import doing, listening, router

from pycom_plugins.transport_zmtp import dialing
from pycom_plugins.transport_zmtp.lookups import Lookups
from pycom_plugins.transport_zmtp.places import Place
from pycom_plugins.transport_zmtp.transport import ZmtpTransport

HERE = Place(socket.AF_INET, ("127.0.0.1", 1))


@awaited
async def test_places_share_the_time_and_the_last_one_may_take_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float | None] = []

    async def keep_silent(dialing: object, seconds: float | None) -> None:
        waits.append(seconds)
        raise TimeoutError

    monkeypatch.setattr(dialing, "_dial", lambda *_: None)
    monkeypatch.setattr(asyncio, "wait_for", keep_silent)
    with pytest.raises(TimeoutError):
        await dialing.dial([HERE] * 4, router, 8.0)
    assert waits == [2.0, 2.0, 2.0, None]


@awaited
async def test_no_place_at_all() -> None:
    with pytest.raises(ConnectionError, match="it has no address"):
        await dialing.dial([], router, 1.0)


@awaited
async def test_answer_just_when_a_place_is_given_up_is_no_failure() -> None:
    failures: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context))
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        waiting = asyncio.ensure_future(dialing._until_writable(left))
        await asyncio.sleep(0)
        loop.call_soon(waiting.cancel)  # in the turn of the loop that finds it writable
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert failures == []


def test_place_that_keeps_silent_in_the_handshake_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer() -> None:
        for _ in range(2):
            wire = other.wire()
            *envelope, _, command = wire.message()
            wire.send(*envelope, b"OK", command)

    with listening() as silent, listening() as other:
        found = [Place(socket.AF_INET, ("127.0.0.1", one.port)) for one in (silent, other)]
        monkeypatch.setattr(Lookups, "places", lambda *_: _done(found))
        transport = ZmtpTransport()
        with doing(answer):
            channel = transport.connect("tcp://both.example:1")
            assert channel.exchange([b"CALL", b"1"], 1_000) == [b"OK", b"1"]
            channel.close()
            assert asyncio.run(_asked(transport)) == [b"OK", b"2"]


async def _asked(transport: ZmtpTransport) -> object:
    channel = transport.connect_async("tcp://both.example:1")
    try:
        return await channel.exchange([b"CALL", b"2"], 1_000)
    finally:
        channel.close()


def _done(found: object) -> object:
    answer: Future[object] = Future()
    answer.set_result(found)
    return answer
