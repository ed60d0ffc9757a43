"""Many clients of one server: who is accepted, whose turn it is, and what happens in between."""

from __future__ import annotations

import asyncio
import errno
import math
import os
import resource
import signal
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import helpers
import pytest
import zmq
from helpers import until
from zmtp_peers import libzmq
from zmtp_servers import reset
from zmtp_stage import Client, Gate, Stage, echo, plain

from pycom_core.messages import Delivery
from pycom_plugins.transport_zmtp import listener as module
from pycom_plugins.transport_zmtp import places, polling
from pycom_plugins.transport_zmtp.transport import ZmtpTransport

NOBODY: Any = None  # a listener does not look at its server


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


def waiting(stage: Stage) -> int:
    """Requests that were received and not run."""
    return sum(len(served.inbox) for served in stage.listener._connections)


# Who is accepted.


@pytest.mark.parametrize("kind", [zmq.REQ, zmq.DEALER])
def test_programs_behind_libzmq_are_served(kind: int, make_loop: Any) -> None:
    with Stage(loop=make_loop) as stage, libzmq(kind) as peer:
        peer.connect(stage.listener.address)
        for size in (0, 1, 300, 100_000):
            envelope = [b"7", b""] if kind == zmq.DEALER else []
            peer.send_multipart([*envelope, b"CALL", b"x" * size])
            assert peer.recv_multipart() == [*envelope, b"OK", b"x" * size]


def test_too_many_of_one_address_are_refused_and_others_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Stage(address="tcp://0.0.0.0:*", connections_by_address=2, connections=4) as stage:
        port = stage.listener.address.rpartition(":")[2]

        def connect(source: str) -> socket.socket:
            return socket.create_connection(
                ("127.0.0.1", int(port)), helpers.PATIENCE, source_address=(source, 0)
            )

        first, second = Client(connect("127.0.0.1")), Client(connect("127.0.0.1"))
        for _ in range(3):
            with connect("127.0.0.1") as refused:
                assert refused.recv(1) == b""
        with Client(connect("127.0.0.2")), Client(connect("127.0.0.2")) as other:
            with connect("127.0.0.3") as refused:
                assert refused.recv(1) == b""
            assert other.ask(b"a") == first.ask(b"a") == b"a"
        with first:
            pass
        until(lambda: stage.connections() == 1)
        with second, Client(connect("127.0.0.1")) as next_one:
            assert next_one.ask(b"b") == b"b"
            with connect("127.0.0.1") as refused:
                assert refused.recv(1) == b""
    said = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert said == [
        "Connections of 127.0.0.1 are refused: it has 2, all together 2",
        "Connections of 127.0.0.3 are refused: it has 0, all together 4",
        "Connections of 127.0.0.1 are refused: it has 2, all together 2",
    ]


def test_refusals_are_said_of_so_many_addresses(caplog: pytest.LogCaptureFixture) -> None:
    with Stage(address="tcp://0.0.0.0:*", connections=1) as stage, stage.client() as first:
        where = ("127.0.0.1", int(stage.listener.address.rpartition(":")[2]))
        for number in range(2, module._BURST + 20):
            source = (f"127.0.0.{number}", 0)
            with socket.create_connection(where, helpers.PATIENCE, source) as refused:
                assert refused.recv(1) == b""
        assert first.ask(b"a") == b"a"
    assert len(caplog.records) == module._BURST


def test_addresses_are_not_counted_over_unix_sockets(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/socket"
    with (
        Stage(address=address, connections_by_address=1) as stage,
        stage.client() as first,
        stage.client() as second,
    ):
        assert first.ask(b"a") == second.ask(b"a") == b"a"


EXHAUSTED = """
import resource, socket, sys, time
sys.path[:0] = {path!r}
from zmtp_stage import Client, Stage, plain
from helpers import until

resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))
with Stage() as stage:
    client = stage.client()
    last = socket.socket()
    others = [last]
    try:
        while True:
            others.append(stage.plain())
    except OSError:
        pass
    last.connect(("127.0.0.1", int(stage.listener.address.rpartition(":")[2])))  # waits
    time.sleep(0.5)
    began = time.process_time()
    time.sleep(1)
    used = time.process_time() - began
    assert used < 0.5, used
    assert client.ask(b"still") == b"still"
    for other in others:
        other.close()
    until(lambda: stage.connections() == 1)
    with stage.client() as late:
        assert late.ask(b"again") == b"again"
print("done")
"""


def test_descriptors_that_run_out_are_said_once_and_waited_for() -> None:
    path = [str(Path(helpers.__file__).parent)]
    done = helpers.run(sys.executable, "-c", EXHAUSTED.format(path=path))
    assert done.stdout == "done\n", done.stderr
    assert done.stderr.count("No more connections can be accepted: Too many open files") == 1


def test_failure_to_accept_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    errors = [
        OSError(errno.EMFILE, "full"),
        OSError(errno.EPERM, "a firewall"),
        ConnectionAbortedError(),
        OSError(errno.ENFILE, "full"),
    ]
    accept = places.accept

    def failing(listening: socket.socket) -> Any:
        if errors:
            raise errors.pop(0)
        return accept(listening)

    with Stage() as stage:
        monkeypatch.setattr(places, "accept", failing)
        with stage.client() as client:
            assert client.ask(b"a") == b"a"
        errors.append(OSError(errno.EMFILE, "full again"))
        with stage.client() as client:
            assert client.ask(b"a") == b"a"
    assert [record.getMessage() for record in caplog.records] == [
        "No more connections can be accepted: full. Raise the limit (ulimit -n)",
        "A connection could not be accepted: [Errno 1] a firewall",
        "No more connections can be accepted: full again. Raise the limit (ulimit -n)",
    ]


def test_who_cannot_accept_does_not_try_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[float] = []

    def failing(_: socket.socket) -> Any:
        tries.append(time.monotonic())
        raise OSError(errno.EMFILE, "full")

    with Stage() as stage:
        monkeypatch.setattr(places, "accept", failing)
        with stage.plain():
            until(lambda: len(tries) > 2)
    assert tries[2] - tries[0] > module._EXHAUSTED


def test_closed_while_it_cannot_accept(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []
    failures: list[Any] = []

    def failing(_: socket.socket) -> Any:
        tries.append(1)
        raise OSError(errno.EMFILE, "full")

    monkeypatch.setattr(module, "_EXHAUSTED", 0.01)
    monkeypatch.setattr(places, "accept", failing)
    with Stage() as stage:
        stage.loop.set_exception_handler(lambda _, context: failures.append(context))
        with stage.plain():
            until(lambda: tries)
        stage.within(stage.listener.close)
        time.sleep(0.05)
        stage.within(lambda: None)
    assert failures == []


# Turns.


def test_one_request_each_where_others_wait(gate: Gate) -> None:
    with Stage(gate) as stage, stage.client() as a, stage.client() as b, stage.client() as c:
        c.begin(b"hold")
        gate.wait()
        a.begin(*[b"a"] * 20)
        b.begin(*[b"b"] * 5)
        until(lambda: waiting(stage) == 25)
        gate.open()
        for client, count in ((a, 20), (b, 5), (c, 1)):
            for _ in range(count):
                client.message()
        both = b"".join(stage.ran[1:11])
        assert both in (b"ab" * 5, b"ba" * 5)


def test_busy_client_does_not_starve_who_makes_single_calls() -> None:
    calls = 20

    def work(delivery: Delivery) -> None:
        time.sleep(0.001)
        echo(delivery)

    with Stage(work) as stage, stage.client() as busy, stage.client() as single:
        feeder = threading.Thread(target=busy.begin, args=[b"busy"] * 10_000)
        feeder.start()
        until(lambda: stage.ran)
        for _ in range(calls):
            single.ask(b"single")
        feeder.join()
        first, last = stage.ran.index(b"single"), len(stage.ran)
        assert last - first < 10 * calls
        busy.reset()
        until(lambda: stage.connections() == 1)


@pytest.mark.parametrize("inbox", [1, 3])
def test_reading_pauses_at_a_full_inbox_and_goes_on(inbox: int, gate: Gate, make_loop: Any) -> None:
    with (
        Stage(gate, inbox=inbox, loop=make_loop) as stage,
        stage.client() as first,
        stage.client() as other,
    ):
        first.begin(b"hold")
        gate.wait()
        other.begin(*[b"%d" % number for number in range(50)])  # one read: the stand-in's
        until(lambda: waiting(stage) == 50)
        other.begin(*[b"%d" % number for number in range(50, 100)])
        gate.open()
        assert [other.message()[-1] for _ in range(100)] == [b"%d" % n for n in range(100)]
        assert other.ask(b"later") == b"later"
        assert first.message()[-1] == b"hold"


def test_reply_leaves_before_the_next_request_is_done(gate: Gate) -> None:
    with Stage(gate) as stage, stage.client() as client:
        client.begin(b"quick", b"hold")
        assert client.message()[-1] == b"quick"
        gate.open()
        assert client.message()[-1] == b"hold"


def test_loop_is_used_on_its_own_thread_alone(gate: Gate) -> None:
    def strict() -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        loop.set_debug(True)  # it raises RuntimeError for others
        return loop

    with (
        Stage(gate, inbox=1, loop=strict) as stage,
        stage.client() as first,
        stage.client() as other,
    ):
        first.begin(b"hold")
        gate.wait()
        other.begin(*[b"x"] * 50)  # its connection pauses, by the thread of the stand-in
        until(lambda: waiting(stage) == 50)
        gate.open()
        assert [other.message()[-1] for _ in range(50)] == [b"x"] * 50


@pytest.mark.parametrize("budget", [0.0, 10.0])
def test_each_wake_up_is_used_at_the_smallest_limits(budget: float) -> None:
    with Stage(inbox=1, queued=1, budget=budget) as stage, stage.client() as client:
        for number in range(50):
            assert client.ask(b"%d" % number) == b"%d" % number
        for _ in range(20):
            client.begin(b"a", b"b", b"x" * 70_000)
            assert [client.message()[-1] for _ in range(2)] == [b"a", b"b"]
            assert len(client.message()[-1]) == 70_000


def test_bytes_that_wait_are_bounded_too(gate: Gate) -> None:
    body = b"x" * 100_000
    with (
        Stage(gate, queued=1_000_000) as stage,
        stage.client() as first,
        stage.client() as other,
    ):
        first.begin(b"hold")
        gate.wait()
        feeder = threading.Thread(target=other.begin, args=[body] * 100)
        feeder.start()
        until(lambda: any(not one.is_reading for one in stage.listener._connections))
        assert waiting(stage) < 20
        gate.open()
        for _ in range(100):
            assert other.message()[-1] == body
        feeder.join()


def test_handler_that_fails_keeps_nobody_waiting(gate: Gate) -> None:
    def fail_once(delivery: Delivery) -> None:
        if bytes(delivery.frames[-1]) == b"fail":
            raise LookupError
        gate(delivery)

    with Stage(fail_once) as stage, stage.client() as a, stage.client() as b, stage.client() as c:
        stage.loop.set_exception_handler(lambda *_: None)
        c.begin(b"hold")
        gate.wait()
        a.begin(b"fail", b"1", b"2")
        b.begin(b"3", b"4")
        until(lambda: waiting(stage) == 5)
        gate.open()
        assert [a.message()[-1] for _ in range(2)] == [b"1", b"2"]
        assert [b.message()[-1] for _ in range(2)] == [b"3", b"4"]


# What came after a gap.


@pytest.mark.parametrize("stands_in", [True, False])
@pytest.mark.parametrize("leave", ["close", "reset"])
@pytest.mark.parametrize("inbox", [1000, 2])
def test_what_a_client_sent_before_it_left_is_not_run(
    leave: str, stands_in: bool, inbox: int, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not stands_in:  # as where the method holds Python's lock
        monkeypatch.setattr(module.SocketListener, "stand_in", lambda _: None)
    with (
        Stage(gate, inbox=inbox) as stage,
        stage.client() as first,
        stage.client() as gone,
        stage.client() as late,
    ):
        first.begin(b"hold")
        gate.wait()
        gone.begin(*[b"gone"] * 10)
        time.sleep(0.05)  # the gap
        gone.reset() if leave == "reset" else gone.sock.close()
        late.begin(b"late")
        time.sleep(0.05)
        gate.open()
        assert late.message()[-1] == b"late"
        until(lambda: stage.connections() == 2)
        assert stage.ran == [b"hold", b"late"]


def test_all_that_came_meanwhile_is_read_before_any_of_it_is_run(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.SocketListener, "stand_in", lambda _: None)
    monkeypatch.setattr(module, "_ROOM", 100)  # bytes that are received at a time
    with Stage(gate) as stage, stage.client() as first, stage.client() as gone:
        first.begin(b"hold")
        gate.wait()
        gone.begin(*[b"gone"] * 200)
        time.sleep(0.05)  # the gap
        gone.sock.close()
        gate.open()
        assert first.message()[-1] == b"hold"
        until(lambda: stage.connections() == 1)
        assert stage.ran == [b"hold"]


def test_what_was_read_before_a_long_method_is_not_run_either(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.SocketListener, "stand_in", lambda _: None)
    with Stage(gate) as stage, stage.client() as first, stage.client() as gone:
        stage.within(lambda: None)

        def send() -> None:
            # Both are there when the loop looks next.
            first.begin(b"hold", b"held")
            gone.begin(b"gone", b"gone")
            time.sleep(0.02)

        stage.within(send)
        gate.wait()
        ran = list(stage.ran)
        gone.sock.close()
        time.sleep(0.02)
        gate.open()
        assert [first.message()[-1] for _ in range(2)] == [b"hold", b"held"]
        until(lambda: stage.connections() == 1)
        assert stage.ran == [*ran, b"held"]


@pytest.mark.parametrize("stands_in", [True, False])
def test_arrival_is_known_of_what_waited(
    stands_in: bool, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not stands_in:
        monkeypatch.setattr(module.SocketListener, "stand_in", lambda _: None)
    arrived: list[float] = []

    def note(delivery: Delivery) -> None:
        arrived.append(delivery.arrived)
        gate(delivery)

    with Stage(note) as stage, stage.client() as first, stage.client() as other:
        first.begin(b"hold")
        gate.wait()
        before = time.monotonic()
        other.begin(b"a")
        time.sleep(0.2)
        gate.open()
        other.message()
        # The clocks of the system and of Python are read one after the other.
        assert before - 0.01 <= arrived[1] < before + 0.15


def test_arrival_is_known_of_what_waited_behind_a_full_inbox(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROOM", 500)  # bytes that are received at a time
    arrived: list[float] = []

    def note(delivery: Delivery) -> None:
        arrived.append(delivery.arrived)
        gate(delivery)

    with Stage(note, inbox=10) as stage, stage.client() as client:
        client.begin(b"hold", *[b"x"] * 500)
        gate.wait()
        before = time.monotonic()
        time.sleep(0.3)
        gate.open()
        for _ in range(501):
            client.message()
        assert max(arrived) < before + 0.2


def test_arrival_is_known_of_what_waits_behind_many_quick_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_ROOM", 30)  # bytes that are received at a time
    arrived: list[float] = []

    def note(delivery: Delivery) -> None:
        arrived.append(delivery.arrived)
        time.sleep(0.001)
        echo(delivery)

    with Stage(note, inbox=1, heartbeat=0) as stage, stage.client() as client:
        assert client.ask(b"first") == b"first"
        client.begin(*[b"x"] * 500)
        sent = time.monotonic()
        for _ in range(500):
            client.message()
        # Not of all: where clocks are read late they look as if they were set.
        assert statistics.median(arrived) < sent + 0.1


# Who is connected.


def test_connected_peers_and_what_is_under_way() -> None:
    held: list[Delivery] = []

    def hold(delivery: Delivery) -> None:
        if bytes(delivery.frames[-1]) == b"hold":
            held.append(delivery)
        else:
            echo(delivery)

    before = time.monotonic()
    with Stage(hold) as stage, stage.plain() as silent:
        assert stage.listener.peers == []  # nobody knows this one yet
        with stage.client() as first, stage.client() as other:
            first.begin(b"hold", b"hold")
            until(lambda: len(held) == 2)
            assert other.ask(b"x" * 100_000) == b"x" * 100_000
            by_address = {peer.address: peer for peer in stage.within(lambda: stage.listener.peers)}
            calling, served = (
                by_address.pop(f"tcp://127.0.0.1:{client.sock.getsockname()[1]}")
                for client in (first, other)
            )
            assert not by_address
            assert (calling.in_flight, served.in_flight) == (2, 0)
            assert calling.key is None
            assert served.received > 100_000
            assert served.sent > 100_000
            assert 64 < calling.sent < 1000
            assert served.unsent == calling.unsent == 0
            assert before <= calling.since <= time.monotonic()
            assert 0 <= calling.age <= time.monotonic() - before
            for delivery in held:
                stage.within(lambda d=delivery: echo(d))  # type: ignore[misc]
            until(lambda: not any(peer.in_flight for peer in stage.listener.peers))
        until(lambda: not stage.listener.peers)
        assert stage.connections() == 1
        silent.close()


def test_bytes_that_wait_for_a_peer() -> None:
    body = b"x" * 20_000_000
    with Stage() as stage, stage.client() as client:
        client.begin(body)
        until(lambda: stage.ran and stage.listener.peers[0].unsent)
        peer = stage.listener.peers[0]
        assert peer.in_flight == 0
        assert peer.sent + peer.unsent > len(body)
        assert client.message()[-1] == body
        until(lambda: not stage.listener.peers[0].unsent)


# The end.


def test_replies_leave_when_it_closes_in_a_burst(make_loop: Any) -> None:
    with Stage(loop=make_loop) as stage, stage.client() as client, libzmq(zmq.DEALER) as other:
        other.connect(stage.listener.address)
        other.send_multipart([b"", b"CALL", b"z"])
        other.recv_multipart()
        client.begin(*[b"%d" % number for number in range(1000)])
        until(lambda: stage.ran.count(b"900") == 1)
        stage.within(stage.listener.close)
        ran = [body for body in stage.ran if body != b"z"]
        assert [client.message()[-1] for _ in ran] == ran
        with pytest.raises(EOFError):
            client.next()


@pytest.mark.parametrize("is_running", [True, False])
def test_large_replies_leave_when_it_closes(is_running: bool) -> None:
    body = b"x" * 20_000_000
    with Stage() as stage, stage.client() as client:
        client.begin(body)
        until(lambda: stage.ran)
        got: list[bytes] = []
        until(lambda: stage.within(lambda: any(o.unsent for o in stage.listener._connections)))
        reader = threading.Thread(target=lambda: got.append(client.message()[-1]))
        if is_running:
            reader.start()
            stage.within(stage.listener.close)
        else:
            stage.stop()
            stage.loop.close()
            reader.start()
            stage.listener.close()
        reader.join()
        assert got == [body]


def test_flush_waits_for_large_replies_and_not_for_who_never_reads() -> None:
    body = b"x" * 20_000_000

    async def drain() -> float:
        began = time.monotonic()
        await stage.listener.flush()
        return time.monotonic() - began

    with Stage() as stage, stage.client() as client:
        client.begin(body)
        until(lambda: stage.ran)
        got: list[bytes] = []
        reader = threading.Thread(target=lambda: got.append(client.message()[-1]))
        reader.start()
        asyncio.run_coroutine_threadsafe(drain(), stage.loop).result(helpers.PATIENCE)
        stage.within(stage.listener.close)
        reader.join()
        assert got == [body]
    with Stage() as stage, stage.client() as client:
        client.begin(body)
        until(lambda: stage.ran)
        waited = asyncio.run_coroutine_threadsafe(drain(), stage.loop).result(helpers.PATIENCE)
        assert waited >= module._PARTING


def test_closed_by_a_method() -> None:
    def close(delivery: Delivery) -> None:
        echo(delivery)
        stage.listener.close()

    with Stage(close) as stage, stage.client() as client:
        assert client.ask(b"last") == b"last"
        assert client.is_ended()


def test_last_reply_arrives_whole_though_more_was_sent() -> None:
    body = b"x" * 2_000_000

    def close(delivery: Delivery) -> None:
        client.begin(b"unread")
        echo(delivery)
        stage.listener.close()

    with Stage(close) as stage, stage.client() as client:
        assert client.ask(body) == body
        assert client.is_ended()


def test_closed_before_it_starts(tmp_path: Path) -> None:
    made = ZmtpTransport().listen(f"ipc://{tmp_path}/socket", NOBODY)
    made.also(helpers.ANY_PORT)
    made.close()
    made.close()
    for address in made.addresses:
        with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
            plain(address)


def test_closed_after_its_loop(make_loop: Any) -> None:
    with Stage(loop=make_loop) as stage, stage.client() as client, stage.plain() as silent:
        assert client.ask(b"a") == b"a"
        until(lambda: stage.connections() == 2)
        stage.stop()
        stage.loop.close()
        stage.listener.close()
        assert client.is_ended()
        assert silent.recv(100)
        assert silent.recv(1) == b""


def test_dropped_without_a_word(collect: Callable[[], object]) -> None:
    before = threading.active_count()

    def serve() -> None:
        stage = Stage()
        with stage.client() as client:
            client.ask(b"a")
        until(lambda: not stage.connections())
        stage.stop()
        stage.loop.close()

    serve()
    collect()
    until(lambda: threading.active_count() == before)


def test_clients_that_vanish_are_forgotten(make_loop: Any) -> None:
    with Stage(loop=make_loop) as stage, stage.client() as stays:
        for _ in range(20):
            client = stage.client()
            client.begin(*[b"x" * 10_000] * 20)
            client.reset()
        assert stays.ask(b"a") == b"a"
        until(lambda: stage.connections() == 1)


def test_clients_that_vanish_before_they_are_accepted_are_forgotten() -> None:
    def come_and_go() -> None:
        for _ in range(3):
            reset(stage.plain())

    with Stage() as stage, stage.client() as client:
        stage.within(come_and_go)
        assert client.ask(b"a") == b"a"
        until(lambda: stage.connections() == 1)


def test_who_vanishes_while_replies_wait_leaves_nothing_to_the_loop(make_loop: Any) -> None:
    with Stage(loop=make_loop) as stage:
        for _ in range(3):  # each with the descriptor of the one before
            client = stage.client()
            client.begin(b"x" * 20_000_000)
            until(lambda: stage.within(lambda: any(o.unsent for o in stage.listener._connections)))
            client.reset()
            until(lambda: not stage.connections())
        with stage.client() as late:
            assert late.ask(b"a") == b"a"


def test_child_that_a_method_forks_leaves_all_to_its_parent(make_loop: Any) -> None:
    children: list[int] = []

    def fork(delivery: Delivery) -> None:
        if bytes(delivery.frames[-1]) == b"fork":
            child = os.fork()
            if not child:
                try:
                    stage.listener.leave_to_parent()
                finally:
                    os._exit(0)
            children.append(child)
        echo(delivery)

    with Stage(fork, loop=make_loop) as stage, stage.client() as client, stage.client() as other:
        assert client.ask(b"fork") == b"fork"
        assert os.waitpid(children[0], 0)[1] == 0
        assert client.ask(b"a") == other.ask(b"a") == b"a"
        with stage.client() as late:
            assert late.ask(b"a") == b"a"


def test_child_keeps_no_connection_open() -> None:
    children: list[int] = []
    may_end, end = os.pipe()

    def fork(delivery: Delivery) -> None:
        child = os.fork()
        if not child:
            try:
                stage.listener.leave_to_parent()
                os.close(end)
                os.read(may_end, 1)
            finally:
                os._exit(0)
        children.append(child)
        echo(delivery)

    try:
        with Stage(fork) as stage, stage.client() as client:
            assert client.ask(b"fork") == b"fork"
            stage.within(stage.listener.close)
            assert client.is_ended()
            with pytest.raises(ConnectionRefusedError):
                stage.plain()
    finally:
        os.close(end)
        os.close(may_end)
        os.waitpid(children[0], 0)


def test_child_that_goes_on_with_the_work_of_its_parent_ends() -> None:
    children: list[int] = []

    def fork(delivery: Delivery) -> None:
        child = os.fork()
        if child:
            children.append(child)
        else:
            stage.listener.leave_to_parent()
        echo(delivery)

    with Stage(fork) as stage, stage.client() as client:
        assert client.ask(b"fork") == b"fork"
        ends: list[int] = []

        def has_ended() -> bool:
            child, status = os.waitpid(children[0], os.WNOHANG)
            ends.append(status)
            return child != 0

        try:
            until(has_ended)
        except BaseException:
            os.kill(children[0], signal.SIGKILL)
            os.waitpid(children[0], 0)
            raise
        assert os.waitstatus_to_exitcode(ends[-1]) == 1


# Polling.


@pytest.mark.parametrize(
    ("budget", "pushed_aside"), [(1e-6, math.inf), (1e6, -1.0)], ids=["in vain", "pushed aside"]
)
def test_looking_at_one_client_ends(
    budget: float, pushed_aside: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "cores", lambda: 2.0)
    monkeypatch.setattr(module, "PUSHED_ASIDE", pushed_aside)
    with Stage(budget=budget) as stage, stage.client() as busy, stage.client() as other:
        for _ in range(5):
            assert busy.ask(b"a") == b"a"
        assert other.ask(b"b") == b"b"


def test_polling_yields_to_other_callbacks_of_the_loop() -> None:
    with Stage(budget=0.01) as stage, stage.client() as client:
        ticks: list[int] = []

        def tick() -> None:
            ticks.append(len(stage.ran))
            if len(ticks) < 10_000 and not done.is_set():
                stage.loop.call_soon(tick)

        done = threading.Event()
        client.ask(b"a")
        stage.loop.call_soon_threadsafe(tick)
        for _ in range(200):
            client.ask(b"a")
        done.set()
        stage.within(lambda: None)
        assert len(set(ticks)) > 10


def test_idle_server_wakes_nobody_up() -> None:
    with Stage(budget=100e-6) as stage, stage.client() as client:
        for _ in range(100):
            client.ask(b"a")
        until(lambda: stage.listener._watcher._asleep)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        time.sleep(0.3)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before < 5
