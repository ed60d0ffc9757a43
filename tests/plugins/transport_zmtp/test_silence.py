"""Peers that keep silent are asked for a word, and then given up."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helpers
import pytest
import zmq
from awaited import awaited
from helpers import until
from in_process import payload
from zmtp_peers import Wire, libzmq, pair
from zmtp_servers import fails, listening
from zmtp_stage import Client, Stage, echo, lines

from pycom_core.messages import Delivery
from pycom_plugins.transport_zmtp import listener
from pycom_plugins.transport_zmtp.dialect import OURS, UNDERSTANDS
from pycom_plugins.transport_zmtp.engine import Connection, Null, Ping
from pycom_plugins.transport_zmtp.limits import Limits
from pycom_plugins.transport_zmtp.outbox import Outbox
from pycom_plugins.transport_zmtp.silence import PASSES, Passes, Silence
from pycom_plugins.transport_zmtp.transport import ZmtpTransport

AMPLE = helpers.PATIENCE * 1000
pytestmark = pytest.mark.usefixtures("all_lines")
SERVER = Path(__file__).with_name("stopped_server.py")


class Held(list[Delivery]):
    """A handler that keeps the requests."""

    def __call__(self, delivery: Delivery) -> None:
        self.append(delivery)


class Look:
    """Passes that a test makes itself."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __call__(self, count: int = 1) -> None:
        for _ in range(count):
            self._stage.within(self._stage.listener._look_after_silent)


@pytest.fixture
def seldom() -> float:
    """A heartbeat that does not come within a test."""
    return 1000.0


# Counting.


def test_passes_are_one_timer_that_ends_with_its_work(make_loop: Any) -> None:
    class Looker:
        looks = 0

        def look(self) -> bool:
            self.looks += 1
            return self.looks < 3

    loop, looker = make_loop(), Looker()
    passes = Passes(0.01, looker.look)
    for _ in range(100):
        passes.start(loop)
    loop.run_until_complete(asyncio.sleep(0.1))
    assert looker.looks == 3
    passes.start(loop)
    passes.stop()
    loop.run_until_complete(asyncio.sleep(0.05))
    assert looker.looks == 3
    loop.close()


def test_several_passes_are_made_within_a_heartbeat(seldom: float) -> None:
    class Loop:
        def call_later(self, seconds: float, *_: object) -> None:
            waits.append(seconds)

    class Looker:
        def look(self) -> bool:
            return True

    looker, waits = Looker(), list[float]()
    Passes(seldom, looker.look).start(Loop())  # type: ignore[arg-type]
    assert waits == [seldom / PASSES]


def test_no_passes_without_a_heartbeat() -> None:
    class Looker:
        def look(self) -> bool:
            raise AssertionError

    passes = Passes(0, Looker().look)
    passes.start(None)  # type: ignore[arg-type]
    assert not passes.is_started


class Heard:
    """A connection that notes what is wanted of it."""

    has_to_speak = True

    def __init__(self, connected: socket.socket) -> None:
        self.received = 0
        self.done: list[str] = []
        self.outbox = Outbox(connected)
        self.silence = Silence(connected, pair()[0], self.outbox)

    def look(self, count: int) -> list[str]:
        """Return what so many passes do."""
        self.done = []
        for _ in range(count):
            self.silence.look(self)
        return self.done

    def say(self, buffer: bytes) -> None:
        self.done.append("asked")

    def on_readable(self) -> None:
        self.done.append("looked")

    def keeps_silent(self) -> None:
        self.done.append("ended")


@pytest.fixture
def heard() -> Iterator[tuple[Heard, socket.socket]]:
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        yield Heard(left), right


def test_silence_is_counted_from_the_last_news(heard: tuple[Heard, socket.socket]) -> None:
    here, _ = heard
    assert here.look(PASSES - 1) == []
    here.received = 1
    assert here.look(PASSES) == []
    assert here.look(1) == ["asked"]
    here.received = 2
    assert here.look(PASSES + 1) == ["asked"]
    assert here.look(PASSES - 1) == []
    assert here.look(1) == ["looked", "ended"]


def test_who_has_no_reason_to_speak_is_not_asked(heard: tuple[Heard, socket.socket]) -> None:
    here, _ = heard
    here.has_to_speak = False
    assert here.look(5 * PASSES) == []
    here.has_to_speak = True
    assert here.look(PASSES) == ["asked"]


def test_who_takes_what_is_sent_is_not_silent(heard: tuple[Heard, socket.socket]) -> None:
    here, there = heard
    here.outbox.put([b"x" * 10_000_000])
    here.outbox.send()
    assert here.look(PASSES) == ["asked"]
    there.recv(1_000_000)
    here.outbox.send()
    assert here.look(PASSES) == ["looked"]
    assert here.look(PASSES) == ["looked", "ended"]
    while here.outbox.size:
        there.recv(1_000_000)
        here.outbox.send()
    there.recv(10_000_000)
    assert here.look(1) == ["looked", "ended"]  # nothing is left that it could take


def test_who_takes_what_has_left_is_not_silent(heard: tuple[Heard, socket.socket]) -> None:
    here, there = heard
    for _ in range(10):
        here.outbox.put([b"x" * 10_000])
        assert here.outbox.send()
    assert here.look(PASSES) == ["asked"]
    assert there.recv(50_000, socket.MSG_WAITALL)
    assert here.look(PASSES) == ["looked"]
    assert here.look(PASSES) == ["looked", "ended"]


def test_connection_that_ends_at_the_last_look_was_not_silent(
    heard: tuple[Heard, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _ = heard
    monkeypatch.setattr(here, "on_readable", lambda: setattr(here, "has_to_speak", False))
    assert here.look(2 * PASSES) == ["asked"]


# A silent client.


def test_silent_client_is_asked_and_then_its_calls_are_cancelled(
    make_loop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    held = Held()
    with Stage(held, loop=make_loop, heartbeat=0.2) as stage, stage.client() as client:
        client.begin(b"a", b"b")
        until(lambda: len(held) == 2)
        began = time.monotonic()
        until(lambda: all(delivery.is_cancelled for delivery in held))
        assert time.monotonic() - began > 0.3
        until(lambda: not stage.connections())
        assert client.next() == Ping(0, b"")
        assert client.is_ended()
        name = f"tcp://127.0.0.1:{client.sock.getsockname()[1]}"
        assert lines(caplog) == [
            f"{name} keeps silent: its connection is closed, its 2 calls in progress are cancelled"
        ]


def test_idle_client_is_asked_too(seldom: float) -> None:
    with Stage(heartbeat=seldom) as stage, stage.client() as client:
        look = Look(stage)
        client.ask(b"a")
        look(PASSES)
        assert stage.connections() == 1
        look()
        assert client.next() == Ping(0, b"")  # and this one answers
        until(lambda: stage.within(lambda: next(iter(stage.listener._connections)).received > 0))
        look(PASSES)
        assert client.ask(b"b") == b"b"
        look(2 * PASSES + 1)
        assert client.is_ended()


@pytest.mark.parametrize("kind", [zmq.REQ, zmq.DEALER])
def test_programs_behind_libzmq_answer(kind: int, seldom: float) -> None:
    held = Held()
    with Stage(held, heartbeat=seldom) as stage, libzmq(kind) as peer:
        peer.connect(stage.listener.address)
        peer.send_multipart([*([b"7", b""] if kind == zmq.DEALER else []), b"CALL", b"x"])
        until(lambda: held)
        [served] = stage.listener._connections
        look = Look(stage)
        for _ in range(3):
            before = served.received
            look(PASSES + 1)
            until(lambda before=before: served.received > before)  # type: ignore[misc]
        stage.within(lambda: echo(held[0]))
        assert peer.recv_multipart()[-1] == b"x"


def test_our_clients_are_asked_only_while_they_wait(seldom: float) -> None:
    held = Held()
    with (
        Stage(held, heartbeat=seldom) as stage,
        Client(stage.plain(), metadata={OURS: UNDERSTANDS}) as client,
    ):
        look = Look(stage)
        look(5 * PASSES)
        client.begin(b"a")
        until(lambda: held)
        look(PASSES + 1)
        assert client.next() == Ping(0, b"")
        stage.within(lambda: echo(held[0]))
        assert client.message()[-1] == b"a"
        look(5 * PASSES)
        client.begin(b"b")
        until(lambda: len(held) == 2)


BEGINNINGS = [b"\x01", b"\0\x01\x04CALL", b"\x02" + (2**20).to_bytes(8, "big"), b"x" * 100]


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("pieces", [1, 2, 3, 4])
def test_who_begins_a_message_and_keeps_silent_is_ended(
    pieces: int, version: int, seldom: float, caplog: pytest.LogCaptureFixture
) -> None:
    with Stage(heartbeat=seldom) as stage, stage.plain() as sock:
        client = Connection("DEALER", Null(), metadata={OURS: UNDERSTANDS})
        client.receive(Connection("ROUTER", Null(), as_server=True).greeting())
        greeting = client.greeting()
        sock.sendall(greeting[:11] + bytes([version]) + greeting[12:] + client.outgoing())
        until(lambda: stage.listener.peers)
        [served] = stage.listener._connections
        look = Look(stage)
        for piece in BEGINNINGS[:pieces]:
            received = served.received
            sock.sendall(piece)
            until(lambda: served.received > received)  # noqa: B023
            look(2 * PASSES)
            assert stage.connections() == 1
        look()
        assert stage.connections() == 0
        [line] = lines(caplog)
        assert " keeps silent: its connection is closed" in line


def test_passes_end_with_the_last_connection() -> None:
    with Stage(heartbeat=0.05) as stage:
        with stage.client() as client:
            client.ask(b"a")
            assert stage.listener._passes.is_started
        until(lambda: not stage.connections())
        until(lambda: stage.within(lambda: not stage.listener._passes.is_started))


def test_zero_switches_it_off(make_loop: Any) -> None:
    with Stage(loop=make_loop, heartbeat=0) as stage, stage.client() as client:
        client.ask(b"a")
        assert not stage.listener._passes.is_started


def test_older_peers_are_left_to_the_system(seldom: float) -> None:
    held = Held()
    with Stage(held, heartbeat=seldom) as stage, stage.plain() as sock:
        client = Connection("DEALER", Null())
        client.receive(Connection("ROUTER", Null(), as_server=True).greeting())
        greeting = client.greeting()
        sock.sendall(greeting[:11] + b"\0" + greeting[12:] + client.outgoing())  # ZMTP 3.0
        sock.sendall(b"\x01\x00\x01\x04CALL\x00\x01x")
        until(lambda: held)
        Look(stage)(5 * PASSES)
        assert not held[0].is_cancelled
        [served] = stage.listener._connections
        for option, value in (
            ("TCP_KEEPIDLE", 1000),
            ("TCP_KEEPINTVL", 333),
            ("TCP_KEEPCNT", 3),
        ):
            number = getattr(socket, option, None)
            if number is not None:
                assert served._socket.getsockopt(socket.IPPROTO_TCP, number) == value


def test_answer_that_waited_for_the_loop_counts(
    seldom: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener.SocketListener, "stand_in", lambda _: None)
    held = Held()
    with Stage(held, heartbeat=seldom) as stage, stage.client() as client:
        client.begin(b"a")
        until(lambda: held)

        def passes() -> None:
            for _ in range(PASSES + 1):
                stage.listener._look_after_silent()
            assert client.next() == Ping(0, b"")
            for _ in range(2 * PASSES):
                stage.listener._look_after_silent()

        stage.within(passes)
        stage.within(lambda: echo(held[0]))
        assert client.message()[-1] == b"a"


def test_client_that_takes_a_long_reply_is_not_silent(seldom: float) -> None:
    body = b"x" * 40_000_000
    held = Held()
    with Stage(held, heartbeat=seldom) as stage, stage.client() as client:
        client.begin(b"a", b"b")
        until(lambda: len(held) == 2)
        stage.within(lambda: held[0].reply([b"c", b"", b"OK", body]))  # type: ignore[misc]
        look, got = Look(stage), 0
        look(PASSES + 1)
        while got < 30_000_000:
            got += len(client.sock.recv(10_000_000, socket.MSG_WAITALL))
            look(PASSES)
        assert not held[1].is_cancelled

        def is_given_up() -> bool:  # when its system takes no more, either
            look(PASSES)
            return held[1].is_cancelled

        until(is_given_up)


# A silent server.


@awaited
async def test_stopped_server_fails_the_calls_that_wait(processes: helpers.Processes) -> None:
    server = processes.python(str(SERVER))
    address = server.wait_for(r"at (\S+)")[1]
    channel = ZmtpTransport(Limits(heartbeat=0.2)).connect_async(address)
    with contextlib.closing(channel):
        await channel.exchange(payload("a.b", "early"), AMPLE)
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            calls = [channel.exchange(payload("a.b", "late"), AMPLE) for _ in range(3)]
            for call in [asyncio.ensure_future(call) for call in calls]:
                with fails(sent=True, match="it keeps silent, and does not answer a PING"):
                    await call
            assert not channel.is_alive()
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        await channel.exchange(payload("a.b", "again"), AMPLE)


@awaited
async def test_server_that_owes_no_answer_may_keep_silent(seldom: float) -> None:
    channel = ZmtpTransport(Limits(heartbeat=seldom)).connect_async
    with listening() as server, contextlib.closing(channel(server.address)) as opened:
        for _ in range(2):
            call = asyncio.ensure_future(opened.exchange([b"CALL", b"{}"], AMPLE))
            if not server.accepted:
                wire = await asyncio.to_thread(server.wire)
            request = await asyncio.to_thread(wire.next)
            assert isinstance(request, list)  # a call, and no PING
            wire.send(*request[:2], b"OK", b"{}")
            await call
            for _ in range(5 * PASSES):
                opened._look_after_silence()


@awaited
async def test_next_connection_has_its_own_time() -> None:
    channel = ZmtpTransport(Limits(heartbeat=1000)).connect_async
    with listening() as server, contextlib.closing(channel(server.address)) as opened:
        for _ in range(2):
            call = asyncio.ensure_future(opened.exchange([b"CALL"], AMPLE))
            wire: Wire = await asyncio.to_thread(server.wire)
            await asyncio.to_thread(wire.message)
            for _ in range(2 * PASSES - 1):
                opened._look_after_silence()
            # Read, and not answered.
            assert b"PING" in await asyncio.to_thread(wire._sock.recv, 100)
            assert not call.done()
            opened._look_after_silence()
            with fails(sent=True, match="keeps silent"):
                await call


@awaited
async def test_server_that_answers_may_take_its_time() -> None:
    channel = ZmtpTransport(Limits(heartbeat=0.1)).connect_async
    with listening() as server, contextlib.closing(channel(server.address)) as opened:
        call = asyncio.ensure_future(opened.exchange([b"CALL"], AMPLE))
        wire: Wire = await asyncio.to_thread(server.wire)
        request = await asyncio.to_thread(wire.message)
        for _ in range(4):
            assert await asyncio.to_thread(wire.next) == Ping(0, b"")
        wire.send(*request[:2], b"OK", b"late")
        assert await call == [b"OK", b"late"]
        # Without calls nobody asks.
        wire._sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            wire.next()
