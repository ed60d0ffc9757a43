"""Connecting to one of several places."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from awaited import awaited
from zmtp_servers import router

from pycom_plugins.transport_zmtp import dialing
from pycom_plugins.transport_zmtp.places import Place

HERE = Place(socket.AF_INET, ("127.0.0.1", 1))


@awaited
async def test_places_share_the_time_and_the_last_one_may_take_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shares: list[float | None] = []

    async def keep_silent(place: Place, made: socket.socket, seconds: float | None) -> None:
        shares.append(seconds)
        raise TimeoutError("no answer")

    monkeypatch.setattr(dialing, "_connect", keep_silent)
    with pytest.raises(TimeoutError, match="no answer"):
        await dialing.dial([HERE] * 4, router, 8.0)
    assert shares == [2.0, 2.0, 2.0, None]


@awaited
async def test_no_place_at_all() -> None:
    with pytest.raises(ConnectionError, match="it has no address"):
        await dialing.dial([], router, 1.0)


@awaited
async def test_place_that_answers_at_the_last_moment_is_taken() -> None:
    failures: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        await dialing._until_writable(left, 0.0)  # its answer and its end are there at once
    assert failures == []
