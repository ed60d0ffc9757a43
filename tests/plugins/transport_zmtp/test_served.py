"""One client of a server: its handshake, its limits, and how its connection ends."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq
from awaited import NEW_LOOPS
from helpers import until
from zmtp_peers import Wire, hangs_up, libzmq
from zmtp_stage import Client, Gate, Stage, echo, requests

from pycom_core import AccessDenied, logger
from pycom_core.messages import Delivery, Peer
from pycom_plugins.transport_zmtp import served as module
from pycom_plugins.transport_zmtp.dialect import cancel
from pycom_plugins.transport_zmtp.engine import Connection, Null, Ping, Refused
from pycom_plugins.transport_zmtp.limits import Limits

MiB = 1024 * 1024


def _hello() -> tuple[bytes, bytes]:
    client = Connection("DEALER", Null())
    client.receive(Connection("ROUTER", Null(), as_server=True).greeting())
    return client.greeting(), client.outgoing()


GREETING, READY = _hello()
REQUEST, REPLY = b"\x01\x00\x01\x04CALL\x00\x01x", b"\x01\x00\x01\x02OK\x00\x01x"


@pytest.fixture(autouse=True)
def _all_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger().name)


@pytest.fixture(params=NEW_LOOPS.values(), ids=NEW_LOOPS)
def make_loop(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage() as stage, stage.client() as witness:
        yield stage
        assert witness.ask(b"others do not notice") == b"others do not notice"


def heard(sock: socket.socket) -> bytes:
    """All that comes until the end of a connection."""
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data


def is_answered(sock: socket.socket) -> bool:
    """Read as far as the reply to `REQUEST`."""
    data = b""
    while not data.endswith(REPLY) and (piece := sock.recv(1000)):
        data += piece
    return data.endswith(REPLY)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name != "asyncio"]


# The handshake.


@pytest.mark.parametrize(
    "said", [b"", GREETING[:1], GREETING[:11], GREETING, GREETING + READY[:1], GREETING + READY[:9]]
)
def test_silence_in_the_handshake_ends_the_connection(
    said: bytes, make_loop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with Stage(loop=make_loop) as stage, stage.client() as witness:
        stage.listener.limits = Limits(handshake=0.1)  # of those that come later
        with stage.plain() as silent:
            silent.sendall(said)
            assert heard(silent).startswith(GREETING[:10])
            name = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        until(lambda: stage.connections() == 1)
        assert lines(caplog) == [f"{name} did not finish its handshake in time"]
        assert witness.ask(b"a") == b"a"


def test_handshake_that_waited_for_the_loop_is_in_time(make_loop: Any) -> None:
    with Stage(loop=make_loop, handshake=0.5) as stage, stage.plain() as sock:
        until(lambda: stage.connections() == 1)

        def hold() -> None:
            sock.sendall(GREETING + READY + REQUEST)
            time.sleep(0.6)

        stage.within(hold)
        assert is_answered(sock)


def test_handshake_a_byte_at_a_time(stage: Stage) -> None:
    with stage.plain() as sock:
        for byte in GREETING + READY + REQUEST:
            sock.sendall(bytes([byte]))
        assert is_answered(sock)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "does not speak ZMTP: it began with b'GET / HT'"),
        (b"\x16\x03\x01\x02\x00\x01", "does not speak ZMTP: it began with"),
        (b"\x01\x00", 'speaks ZMTP 1.0, this transport ZMTP 3; the setting transport = ["zmq"]'),
        (GREETING[:10] + b"\x01\x05\x00\x00", 'the setting transport = ["zmq"] talks to such'),
        (GREETING[:12] + b"PLAIN".ljust(52, b"\0"), "mechanism is 'PLAIN', ours is 'NULL'"),
        (GREETING + b"\x00\x01x", "sent a frame with flags 0x0 in the handshake"),
        (GREETING + READY.replace(b"DEALER", b"PUBPUB"), "not to 'PUBPUB'"),
        (GREETING + b"\x04\xfa\x05READY\x0bSocket-Type\0\0\0\xe4" + b"\n" * 0xE4, "\\n"),
        (GREETING + READY + b"\xff" * 20, "sent a frame with flags 0xff"),
    ],
)
def test_what_is_no_peer_is_told_in_one_line(
    said: bytes, line: str, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    with stage.plain() as sock:
        sock.sendall(said)
        heard(sock)
        name = f"tcp://127.0.0.1:{sock.getsockname()[1]}"
    until(lambda: stage.connections() == 1)
    [told] = lines(caplog)
    assert told.startswith(f"{name}: ")
    assert line in told
    assert told.isprintable()
    assert len(told) < 400


def test_peer_of_a_wrong_kind_is_told(stage: Stage) -> None:
    with stage.plain() as sock:
        sock.sendall(GREETING + READY.replace(b"DEALER", b"PUBPUB"))
        _, separator, told = heard(sock).rpartition(b"\x05ERROR")
        assert separator
        assert b"not to 'PUBPUB'" in told


def test_who_comes_and_goes_is_not_worth_a_line(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    for said in (b"", GREETING[:20], GREETING + READY):
        with stage.plain() as sock:
            sock.sendall(said)
    until(lambda: stage.connections() == 1)
    assert lines(caplog) == []


@pytest.mark.parametrize("kind", [zmq.SUB, zmq.PUSH])
def test_sockets_of_another_type_are_hung_up_on(kind: int, stage: Stage) -> None:
    with libzmq(kind) as peer, hangs_up(peer):
        peer.connect(stage.listener.address)


# Peers.


def test_peer_is_known() -> None:
    peers: list[Any] = []

    def note(delivery: Delivery) -> None:
        peers.append(delivery.peer)
        echo(delivery)

    with Stage(note) as stage:
        sock = stage.plain()
        with sock, Client(sock, metadata={"X-Mine": "grün\xff".encode("latin-1")}) as client:
            client.ask(b"a")
            client.ask(b"b")
            assert peers[0] is peers[1]
            assert peers[0].address == f"tcp://127.0.0.1:{sock.getsockname()[1]}"
            assert peers[0].metadata["socket-type"] == "DEALER"
            assert peers[0].metadata["x-mine"] == r"gr\xfcn\xff"
            assert peers[0].key is None


@pytest.mark.parametrize(
    ("error", "told"),
    [(AccessDenied("Not you"), "Not you"), (LookupError("a secret"), "Access denied")],
)
def test_who_is_not_admitted_is_told_and_not_served(
    error: Exception, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    def admit(peer: Peer) -> None:
        if "x-bad" in peer.metadata:
            raise error

    with Stage(admit=admit) as stage, stage.client() as welcome, stage.plain() as sock:
        wire = Wire(Connection("DEALER", Null(), metadata={"X-Bad": b""}), sock)
        assert sock.recv(64, socket.MSG_WAITALL) == stage.listener._new_connection().greeting()
        wire.connection.receive(stage.listener._new_connection().greeting())
        sock.sendall(wire.connection.outgoing() + b"\x01\x00\x01\x04CALL\x00\x01x" * 100)
        with pytest.raises(Refused, match=told):
            wire.next()
        with pytest.raises(EOFError):
            wire.next()
        assert welcome.ask(b"a") == b"a"
        assert stage.ran == [b"a"]
    assert (len(lines(caplog)), "a secret" in caplog.text) == (
        (0, False) if isinstance(error, AccessDenied) else (1, True)
    )


def test_requests_of_who_is_not_admitted_are_not_run_after_a_gap_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_LONG_GAP", 0.0)

    def refuse(_: Peer) -> None:
        raise AccessDenied("Not you")

    with Stage(admit=refuse) as stage, stage.plain() as sock:
        until(lambda: stage.connections() == 1)
        time.sleep(2 * module._GAP)
        sock.sendall(GREETING + READY + REQUEST * 200)
        heard(sock)
        time.sleep(2 * module._MOMENT)
        stage.within(lambda: None)
        assert stage.ran == []


def test_plugins_admit_on_the_thread_of_the_loop() -> None:
    gate, threads = Gate(), list[threading.Thread]()
    with (
        Stage(gate, admit=lambda _: threads.append(threading.current_thread())) as stage,
        stage.client() as first,
        stage.plain() as sock,
    ):
        until(lambda: stage.connections() == 2)
        first.begin(b"hold")
        gate.wait()
        sock.sendall(GREETING + READY + REQUEST)
        time.sleep(0.1)
        gate.open()
        assert is_answered(sock)
        assert threads == [stage._thread] * 2


# Messages that are too big.


@pytest.mark.parametrize("frames", [[b"x" * 1001], [b"x" * 80_000], [b"x" * 1000] * 70])
@pytest.mark.parametrize("is_announced", [True, False])
def test_sender_of_a_message_that_is_too_big_is_told(
    frames: list[bytes], is_announced: bool
) -> None:
    with Stage(frame=1000) as stage, stage.client() as witness, stage.client() as client:
        message = b"".join(
            bytes(b) for b in client.connection.encode([b"id", b"", b"CALL", *frames])
        )
        # Only the start of it came; or it comes to its end, and more after it.
        client.send_bytes(message[:-10] if is_announced else message * 3)
        envelope_and_reply = client.message()
        assert envelope_and_reply[:3] == [b"id", b"", b"OK"]
        told = json.loads(envelope_and_reply[3])
        assert told["code"] == 4
        assert "too big" in told["error"]
        with pytest.raises(EOFError):
            client.next()
        assert witness.ask(b"a") == b"a"
        until(lambda: stage.connections() == 2)  # till the sender closes, too
        assert len(stage.listener.peers) == 1
        client.sock.close()
        until(lambda: stage.connections() == 1)
        assert stage.ran == [b"a"]


def test_who_does_not_close_after_the_last_words_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_LAST_WORDS", 0.1)
    with Stage(frame=1000) as stage, stage.client() as client:
        client.begin(b"x" * 1001)
        assert client.is_ended()
        until(lambda: not stage.connections())


def test_return_address_that_is_too_big_has_no_answer() -> None:
    with Stage(frame=10) as small, small.client() as client:
        client.send_bytes(b"\x01\x0b" + b"x" * 11)
        with pytest.raises(EOFError):
            client.next()


def test_libzmq_hears_that_its_message_is_too_big() -> None:
    with Stage(frame=1000) as stage, libzmq(zmq.DEALER) as peer:
        peer.connect(stage.listener.address)
        peer.send_multipart([b"id", b"", b"CALL", b"x" * 2_000_000])
        assert json.loads(peer.recv_multipart()[3])["code"] == 4


# Clients that read slowly.


@pytest.mark.parametrize("size", [1000, MiB])
def test_who_reads_nothing_loses_the_connection(
    size: int, make_loop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    body = b"x" * size

    def answer(delivery: Delivery) -> None:
        assert delivery.reply is not None
        is_asked = bytes(delivery.frames[-1]) == b"big"
        delivery.reply([*delivery.frames[:-2], b"OK", body if is_asked else b"small"])

    with (
        Stage(answer, loop=make_loop, queued=4 * MiB, stalled=0.3) as stage,
        stage.client() as slow,
        stage.client() as other,
    ):
        most = 0
        batch = [b"big"] * 100

        def unsent() -> int:
            return sum(served.unsent for served in stage.listener._connections)

        def ask() -> None:
            with contextlib.suppress(OSError):
                while True:
                    slow.begin(*batch)

        feeder = threading.Thread(target=ask)
        feeder.start()
        while stage.connections() == 2:
            assert other.ask(b"") == b"small"
            most = max(most, stage.within(unsent))
        feeder.join()
        assert 0 < most <= 2 * MiB + max(size, 65536) * 2
        [line] = lines(caplog)
        assert line.endswith(" does not read: its connection is closed")


def test_who_reads_slowly_is_served_at_this_pace() -> None:
    with Stage(queued=2 * MiB, stalled=1.0) as stage, stage.client() as slow:
        body = b"x" * MiB
        feeder = threading.Thread(target=slow.begin, args=[body] * 75)
        feeder.start()
        for _ in range(75):  # longer than it may take nothing
            time.sleep(0.02)
            assert slow.message()[-1] == body
        feeder.join()


def test_requests_go_on_before_all_is_read() -> None:
    with Stage(queued=8 * MiB) as stage, stage.client() as slow:
        body = b"x" * (MiB // 2)
        feeder = threading.Thread(target=slow.begin, args=[body] * 60)
        feeder.start()
        until(lambda: stage.within(lambda: any(o.is_slow for o in stage.listener._connections)))
        ran = len(stage.ran)
        for read in range(60):
            assert slow.message()[-1] == body
            if read == 4:
                until(lambda: len(stage.ran) > ran)
        feeder.join()


def test_reply_may_be_larger_than_what_may_wait() -> None:
    with Stage(queued=MiB) as stage, stage.client() as client:
        body = b"x" * (20 * MiB)
        assert client.ask(body) == body


def test_replies_that_come_at_once_are_limited_together(
    caplog: pytest.LogCaptureFixture,
) -> None:
    waiting: list[Delivery] = []
    with Stage(waiting.append, queued=4 * MiB) as stage, stage.client() as client:
        client.begin(*[b"x"] * 100)
        until(lambda: len(waiting) == 100)

        def answer_all() -> None:
            for delivery in waiting:
                delivery.reply([*delivery.frames[:-2], b"OK", b"x" * MiB])  # type: ignore[misc]

        stage.within(answer_all)
        until(lambda: not stage.connections())
        assert client.is_ended()
    assert [line.rpartition(":")[2] for line in lines(caplog)] == [
        " its connection is closed",
        " it is gone",
    ]


def test_replies_that_come_at_once_may_be_more_than_may_wait() -> None:
    waiting: list[Delivery] = []
    body = b"x" * 60_000
    with Stage(waiting.append, queued=100_000) as stage, stage.client() as client:
        client.begin(*[b"x"] * 3)
        until(lambda: len(waiting) == 3)

        def answer_all() -> None:
            for delivery in waiting:
                delivery.reply([*delivery.frames[:-2], b"OK", body])  # type: ignore[misc]

        stage.within(answer_all)
        assert [client.message()[-1] for _ in range(3)] == [body] * 3


def test_dropped_replies_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    waiting: list[Delivery] = []
    with Stage(waiting.append) as stage, stage.client() as client:
        client.begin(*[b"x"] * 100)
        until(lambda: len(waiting) == 100)
        client.sock.close()
        until(lambda: not stage.connections())
        for delivery in waiting:
            stage.within(lambda d=delivery: echo(d))  # type: ignore[misc]
        stage.within(lambda: None)
    assert len(lines(caplog)) == 1


def test_answered_request_is_held_by_nobody(collect: Callable[[], object]) -> None:
    with Stage() as stage, stage.client() as client:
        collect()
        for _ in range(20):
            client.ask(b"a")
        assert sum(type(found) is Delivery for found in gc.get_objects()) < 5


# Requests that nobody waits for.


def test_requests_of_who_leaves_are_given_up_in_turns_with_other_work() -> None:
    given_up: list[Delivery] = []
    at_other_work: list[int] = []

    def hold(delivery: Delivery) -> None:
        def give_up() -> None:
            given_up.append(delivery)
            stage.loop.call_soon(lambda: at_other_work.append(len(given_up)))

        delivery.on_cancel = give_up

    with Stage(hold) as stage, stage.client() as client:
        client.begin(*[b"x"] * 1000)
        until(lambda: len(stage.ran) == 1000)
        client.sock.close()
        until(lambda: len(given_up) == 1000)
    assert at_other_work[0] < 1000


def test_requests_are_given_up_though_the_loop_has_ended() -> None:
    held: list[Delivery] = []
    with Stage(held.append) as stage, stage.client() as client:
        client.begin(*[b"x"] * 1000)
        until(lambda: len(held) == 1000)
        stage.stop()
        stage.loop.close()
        stage.listener.close()
        assert all(delivery.is_cancelled for delivery in held)


@pytest.mark.parametrize("kept", [1, 200], ids=["one", "all"])
def test_requests_of_many_messages_after_a_gap_wait_for_what_takes_them_back(
    kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LONG_GAP", 0.0)
    monkeypatch.setattr(module, "_MOMENT", 0.5)
    with Stage(inbox=100) as stage, stage.client() as client:
        assert client.ask(b"first") == b"first"
        time.sleep(2 * module._GAP)
        request, cancel = b"".join(requests(client, b"taken back")), cancelling(client)
        client.send_bytes((request + cancel) * (200 - kept) + request * kept)
        client.send_bytes(cancel)
        assert client.ask(b"last") == b"last"
        assert stage.ran == [b"first", b"last"]


def cancelling(client: Client) -> bytes:
    return b"".join(client.connection.encode([b"1", b"", b"CANCEL", b"{}"]))


def test_id_may_be_used_again_after_it_was_taken_back(stage: Stage) -> None:
    with stage.client() as client:
        client.send_bytes(cancelling(client) + b"".join(requests(client, b"again")))
        assert client.message()[-1] == b"again"


# Half of a connection.


def test_half_closed_connection_is_closed(stage: Stage) -> None:
    with stage.client() as client:
        assert client.ask(b"a") == b"a"
        client.sock.shutdown(socket.SHUT_WR)
        assert client.is_ended()
    until(lambda: stage.connections() == 1)


# Clients with many requests that run.


class Held:
    """A handler that keeps requests, but for `now`, until it answers them."""

    def __init__(self) -> None:
        self.running: list[Delivery] = []

    def __call__(self, delivery: Delivery) -> None:
        if bytes(delivery.frames[-1]) == b"now":
            echo(delivery)
        else:
            self.running.append(delivery)

    def answer(self, count: int) -> None:
        for _ in range(count):
            echo(self.running.pop(0))


@pytest.mark.parametrize("inbox", [1, 1000])
def test_who_has_many_requests_running_waits_and_others_do_not(
    inbox: int, make_loop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    held = Held()
    with (
        Stage(held, loop=make_loop, in_flight=3, inbox=inbox) as stage,
        stage.client() as many,
        stage.client() as other,
    ):
        many.begin(*[b"%d" % number for number in range(100)])
        until(lambda: len(held.running) == 3)
        for _ in range(20):
            assert other.ask(b"now") == b"now"
        assert len(held.running) == 3
        for number in range(97):
            stage.within(lambda: held.answer(1))
            assert many.message()[-1] == b"%d" % number
            until(lambda: len(held.running) == 3)
        stage.within(lambda: held.answer(3))
        assert [many.message()[-1] for _ in range(3)] == [b"97", b"98", b"99"]
        many.begin(b"now")
        assert many.message()[-1] == b"now"
        name = f"tcp://127.0.0.1:{many.sock.getsockname()[1]}"
        assert lines(caplog) == [f"{name} has 3 calls in progress: its further requests wait"]


def test_request_that_is_taken_back_makes_room(make_loop: Any) -> None:
    held = Held()
    with Stage(held, loop=make_loop, in_flight=1) as stage, stage.client() as client:
        client.begin(b"first")
        until(lambda: held.running)
        client.begin(b"second")
        client.send(*cancel(b"1"))
        until(lambda: held.running[0].is_cancelled)
        client.begin(b"third")
        until(lambda: len(held.running) == 2)
        assert stage.ran == [b"first", b"third"]


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


def test_who_is_not_read_from_hears_that_the_server_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_AWAY", 0.05)
    held = Held()
    with Stage(held, in_flight=1, inbox=1) as stage, stage.client() as client:
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
        assert client.ask(b"now") == b"now"  # and no PING before it
