"""Clients that leave while nothing is received from them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from helpers import until
from zmtp_peers import pair
from zmtp_stage import Gate, Held, Stage

from pycom_plugins.transport_zmtp import absence as module
from pycom_plugins.transport_zmtp import gaps
from pycom_plugins.transport_zmtp.absence import Absence
from pycom_plugins.transport_zmtp.engine import Ping


class Here:
    """A connection that notes what is wanted of it."""

    is_reading = is_over = False
    unsent = 0

    def __init__(self, connected: socket.socket) -> None:
        self.done: list[str] = []
        self._absence = Absence(connected, pair()[1])

    def say(self, buffer: bytes) -> None:
        self.done.append("said" if b"PING" in buffer else "nothing")

    def end(self, reason: str = "") -> None:
        self.is_over = True
        self.done.append(reason)

    def watch(self) -> list[str]:
        """Return what it does within some looks."""

        async def looks() -> None:
            for _ in range(3):
                self._absence.watch(self, asyncio.get_running_loop())
            await asyncio.sleep(0.1)
            self._absence.stop()

        asyncio.run(looks())
        return self.done

    def check(self) -> list[str]:
        self._absence.check(self)
        return self.done


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[socket.socket, socket.socket]]:
    monkeypatch.setattr(module, "_AWAY", 0.01)
    left, right = socket.socketpair()
    with left, right:
        yield left, right


Ends = tuple[socket.socket, socket.socket]


def test_who_is_there_is_told_that_the_server_is_too(ends: Ends) -> None:
    here = Here(ends[0])
    assert here.check() == []
    said = here.watch()
    assert len(said) > 1
    assert set(said) == {"said"}


def test_nothing_is_said_behind_what_waits(ends: Ends) -> None:
    behind = Here(ends[0])
    behind.unsent = 1
    assert behind.watch() == []


def test_who_has_gone_is_ended_once(ends: Ends) -> None:
    ends[1].close()
    assert Here(ends[0]).watch() == ["it has gone"]
    assert Here(ends[0]).check() == ["it has gone"]


@pytest.mark.parametrize("state", ["is_reading", "is_over"])
def test_it_ends_when_the_client_is_received_from_or_over(state: str, ends: Ends) -> None:
    ends[1].close()
    here = Here(ends[0])
    setattr(here, state, True)
    assert here.check() == []
    assert here.watch() == []


@pytest.mark.parametrize("count", [50, 200_000])  # more than the system holds
@pytest.mark.parametrize("leave", ["close", "reset"])
def test_who_leaves_while_its_requests_wait_is_noticed(
    leave: str, count: int, make_loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AWAY", 0.05)
    held = Held()
    with (
        Stage(held, loop=make_loop, in_flight=3, inbox=1) as stage,
        stage.client() as gone,
        stage.client() as other,
    ):
        gone.sock.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            gone.begin(*[b"x" * 100] * count)
        until(lambda: len(held.running) == 3)
        gone.reset() if leave == "reset" else gone.sock.close()
        until(lambda: stage.connections() == 1)
        assert [delivery.is_cancelled for delivery in held.running] == [True] * 3
        assert other.ask(b"now") == b"now"


@pytest.mark.parametrize("heartbeat", [30.0, 0.0])
def test_who_is_not_read_from_hears_that_the_server_is_there(
    heartbeat: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AWAY", 0.05)
    held = Held()
    with Stage(held, heartbeat=heartbeat, in_flight=1, inbox=1) as stage, stage.client() as client:
        client.begin(*[b"x"] * 10)
        assert [client.next() for _ in range(3)] == [Ping(0, b"")] * 3
        assert len(held.running) == 1


def test_who_is_read_from_again_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AWAY", 0.02)
    held = Held()
    with Stage(held, in_flight=1, inbox=1) as stage, stage.client() as client:
        client.begin(b"1", b"2")
        assert client.next() == Ping(0, b"")
        for _ in range(2):
            until(lambda: held.running)
            stage.within(lambda: held.answer(1))
            while isinstance(client.next(), Ping):
                pass
        time.sleep(0.1)
        client.begin(b"now")
        assert not isinstance(client.next(), Ping)


def test_requests_of_who_left_while_a_method_held_the_loop_are_not_run() -> None:
    gate = Gate()
    with Stage(gate, inbox=1) as stage, stage.client() as gone:
        gone.begin(b"hold", b"waits", b"waits")
        gate.wait()
        gone.sock.close()
        time.sleep(2 * gaps._GAP)
        gate.open()
        until(lambda: not stage.connections())
        assert stage.ran == [b"hold"]
