"""One client of a server: its handshake, its requests, and how its connection ends."""

from __future__ import annotations

import gc
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from helpers import ANY_PORT, until
from zmtp_peers import Wire, hangs_up, libzmq, wire
from zmtp_stage import Client, Gate, Held, Stage, echo, lines, requests

from pycom_core import AccessDenied
from pycom_core.messages import Delivery, Peer
from pycom_plugins.transport_zmtp import gaps
from pycom_plugins.transport_zmtp import served as module
from pycom_plugins.transport_zmtp.dialect import cancel
from pycom_plugins.transport_zmtp.engine import Connection, Null, Refused
from pycom_plugins.transport_zmtp.limits import Limits
from pycom_plugins.transport_zmtp.listener import SocketListener

pytestmark = pytest.mark.usefixtures("all_lines")


def _hello() -> tuple[bytes, bytes]:
    client = Connection("DEALER", Null())
    client.receive(Connection("ROUTER", Null(), as_server=True).greeting())
    return client.greeting(), client.outgoing()


GREETING, READY = _hello()
REQUEST, REPLY = b"\x01\x00\x01\x04CALL\x00\x01x", b"\x01\x00\x01\x02OK\x00\x01x"


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
        1,
        not isinstance(error, AccessDenied),
    )


def test_requests_of_who_is_not_admitted_are_not_run_after_a_gap_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gaps, "_LONG_GAP", 0.0)

    def refuse(_: Peer) -> None:
        raise AccessDenied("Not you")

    with Stage(admit=refuse) as stage, stage.plain() as sock:
        until(lambda: stage.connections() == 1)
        time.sleep(2 * gaps._GAP)
        sock.sendall(GREETING + READY + REQUEST * 200)
        heard(sock)
        time.sleep(2 * gaps.MOMENT)
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
    frames: list[bytes], is_announced: bool, caplog: pytest.LogCaptureFixture
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
        assert told["error"].endswith("(setting max_message_size). The connection ends")
        assert "of which 1000 are taken" in told["error"] or len(frames) > 1
        assert len(lines(caplog)) == 1
        assert lines(caplog)[0].endswith(told["error"].removeprefix("The message is "))
        with pytest.raises(EOFError):
            client.next()
        assert witness.ask(b"a") == b"a"
        until(lambda: stage.connections() == 2)  # till the sender closes, too
        assert len(stage.listener.peers) == 1
        client.sock.close()
        until(lambda: stage.connections() == 1)
        assert stage.ran == [b"a"]


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


def test_id_may_be_used_again_after_it_was_taken_back(stage: Stage) -> None:
    with stage.client() as client:
        client.send_bytes(
            wire(client.connection, cancel(b"1")) + b"".join(requests(client, b"again"))
        )
        assert client.message()[-1] == b"again"


# Much of one connection.


def begun_as(client: Client, *correlations: bytes) -> bytes:
    """The bytes of requests, whose bodies are their ids."""
    return b"".join(wire(client.connection, [one, b"", b"CALL", one]) for one in correlations)


def taken_back(client: Client, *correlations: bytes) -> bytes:
    return b"".join(wire(client.connection, cancel(one)) for one in correlations)


@pytest.fixture
def small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SHARE", 1)


@pytest.mark.usefixtures("small_shares")
def test_what_came_in_a_gap_is_read_in_turns_with_other_work(make_loop: Any) -> None:
    with Stage(loop=make_loop) as stage, stage.client() as client:
        assert client.ask(b"a") == b"a"
        flood = taken_back(client, *[b"unknown"] * 20_000)
        feeder = threading.Thread(target=client.send_bytes, args=[flood])
        [served] = stage.listener._connections
        whole = served.received + len(flood)
        seen = []

        def watch() -> None:
            seen.append(served.received)
            if served.received < whole:
                stage.loop.call_soon(watch)

        def hold() -> None:
            feeder.start()
            time.sleep(0.1)
            stage.loop.call_soon(watch)

        stage.within(hold)
        feeder.join()
        assert client.ask(b"b") == b"b"
        steps = [after - before for before, after in itertools.pairwise(seen)]
        assert max(steps, default=whole) <= 2 * len(stage.listener.room)


@pytest.mark.usefixtures("small_shares")
@pytest.mark.parametrize("stands_in", [True, False])
def test_nothing_runs_before_all_is_read_that_may_take_it_back(
    stands_in: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not stands_in:
        monkeypatch.setattr(SocketListener, "stand_in", lambda _: None)
    gate = Gate()
    with Stage(gate) as stage, stage.client() as first, stage.client() as client:
        first.begin(b"hold")
        gate.wait()
        others = [b"unknown"] * 10_000
        client.send_bytes(begun_as(client, b"1", b"2") + taken_back(client, *others, b"1"))
        time.sleep(0.1)
        gate.open()
        assert client.message()[-1] == b"2"
        assert stage.ran == [b"hold", b"2"]


@pytest.mark.usefixtures("small_shares")
@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_requests_run_when_all_is_read_wherever_that_ends(extra: int) -> None:
    with Stage() as stage, stage.client() as client:
        room = len(stage.listener.room)
        size = room + extra - len(begun_as(client, b"1")) + 1

        def hold() -> None:
            client.send(b"", b"", b"x" * 20_000)
            client.send(b"", b"", b"x" * 20_000)
            left = size - 2 * (20_000 + 13) - 13
            client.send_bytes(begun_as(client, b"1"))
            client.send(b"", b"", b"x" * left)
            time.sleep(0.05)

        stage.within(hold)
        assert client.message()
        until(lambda: len(stage.ran) == 4)


def test_stranger_that_floods_with_commands_is_hung_up_on(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    with stage.plain() as sock:
        sock.sendall(GREETING + READY + b"\x04\x02\x01X" * 10_000)
        heard(sock)
        until(lambda: stage.connections() == 1)
        [line] = lines(caplog)
        assert line.endswith(": the peer sent more than 1000 commands at once")


def test_pongs_do_not_pile_up_behind_what_is_not_read() -> None:
    with Stage(queued=1000) as stage, stage.client() as client, stage.client() as other:
        client.begin(b"x" * 20_000_000)
        until(lambda: stage.ran)
        [served] = [one for one in stage.listener._connections if one.is_slow]
        before, received = served.unsent, served.received
        pings = (client.connection.ping(0) + b"\x04\xff\x01X" + b"x" * 253) * 10_000
        client.send_bytes(pings)
        until(lambda: served.received - received == len(pings))
        assert served.unsent <= before
        assert other.ask(b"a") == b"a"


def deliveries() -> int:
    """The number of requests that are held, by whomever."""
    return sum(type(found) is Delivery for found in gc.get_objects())


def test_answered_request_is_held_by_nobody(collect: Callable[[], object]) -> None:
    with Stage() as stage, stage.client() as client:
        collect()
        before = deliveries()
        for _ in range(20):
            client.ask(b"a")
        assert deliveries() < before + 5


# Half of a connection.


def test_half_closed_connection_is_closed(stage: Stage) -> None:
    with stage.client() as client:
        assert client.ask(b"a") == b"a"
        client.sock.shutdown(socket.SHUT_WR)
        assert client.is_ended()
    until(lambda: stage.connections() == 1)


# Clients with many requests that run.


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


def test_requests_that_wait_are_not_begun_in_place_of_those_taken_back_before_them(
    make_loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_KEPT", 60.0)
    held = Held()
    names = [b"%d" % number for number in range(100)]
    with Stage(held, loop=make_loop, in_flight=3) as stage, stage.client() as client:
        client.send_bytes(begun_as(client, *names))
        until(lambda: len(held.running) == 3)
        [served] = stage.listener._connections
        for name in names:
            received = served.received
            client.send_bytes(taken_back(client, name))
            until(lambda: served.received > received)  # noqa: B023
        until(lambda: not served.inbox)
        assert [one.is_cancelled for one in held.running] == [True] * 3
        assert stage.ran == names[:3]


def test_place_of_a_call_that_was_taken_back_is_free_after_a_moment(make_loop: Any) -> None:
    held = Held()
    with Stage(held, loop=make_loop, in_flight=1) as stage, stage.client() as client:
        client.send_bytes(begun_as(client, b"1", b"2"))
        until(lambda: held.running)
        client.send_bytes(taken_back(client, b"1"))
        until(lambda: stage.ran == [b"1", b"2"])
        assert held.running[0].is_cancelled


def test_reading_goes_on_when_the_inbox_is_half_empty(make_loop: Any) -> None:
    held = Held()
    with Stage(held, loop=make_loop, in_flight=1, inbox=4) as stage, stage.client() as client:
        [served] = stage.listener._connections
        client.send_bytes(begun_as(client, b"0"))
        until(lambda: held.running)
        client.send_bytes(begun_as(client, b"1", b"2", b"3", b"4"))
        until(lambda: len(served.inbox) == 4 and not served.is_reading)
        client.send_bytes(taken_back(client, b"4"))
        stage.within(lambda: held.answer(1))
        until(lambda: held.running)
        assert not served.is_reading
        stage.within(lambda: held.answer(1))
        until(lambda: len(served.inbox) == 1)
        assert served.is_reading
        client.send_bytes(taken_back(client, b"2"))
        until(lambda: held.running[0].is_cancelled)
        assert stage.ran[:3] == [b"0", b"1", b"2"]


@pytest.mark.parametrize("scheme", ["tcp", "ipc"])
def test_none_runs_of_thousands_that_were_taken_back_while_a_method_ran(
    scheme: str, tmp_path: Path
) -> None:
    address = f"ipc://{tmp_path}/socket" if scheme == "ipc" else ANY_PORT
    gate = Gate()
    names = [b"%d" % number for number in range(4000)]

    def waiting() -> int:
        return sum(len(served.inbox) for served in stage.listener._connections)

    with Stage(gate, address=address) as stage, stage.client() as first, stage.client() as client:
        first.begin(b"hold")
        gate.wait()
        client.send_bytes(begun_as(client, *names))
        until(lambda: waiting() == 4000)
        client.send_bytes(taken_back(client, *names) + begun_as(client, b"last"))
        until(lambda: waiting() == 1)
        gate.open()
        assert client.message()[-1] == b"last"
        assert stage.ran == [b"hold", b"last"]


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
