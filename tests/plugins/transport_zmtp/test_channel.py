"""Channels for one call at a time, against servers that do as the test says."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import select
import signal
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import helpers
import pytest
import zmq
import zmtp_servers
from storm import Storm
from zmtp_peers import libzmq
from zmtp_servers import answer, descriptors, doing, fails, listening, reset
from zmtp_stage import Stage

from pycom_core import ServiceNotAvailable
from pycom_plugins.transport_zmtp import channel as module
from pycom_plugins.transport_zmtp import places, polling
from pycom_plugins.transport_zmtp.channel import BlockingChannel
from pycom_plugins.transport_zmtp.limits import Limits
from pycom_plugins.transport_zmtp.transport import ZmtpTransport

AMPLE = helpers.PATIENCE * 1000
CALL = [b"CALL", b"{}"]


@contextlib.contextmanager
def connected(address: str, transport: ZmtpTransport | None = None) -> Iterator[BlockingChannel]:
    channel = (transport or ZmtpTransport()).connect(address)
    try:
        yield channel
    finally:
        channel.close()


def arrives(channel: BlockingChannel) -> None:
    """Wait until there is something to receive, some time after the last call."""
    assert select.select([channel._socket], [], [], helpers.PATIENCE)[0]
    helpers.until(lambda: time.monotonic() - channel._used > 0.01)


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def test_port_that_refuses() -> None:
    with connected(f"tcp://127.0.0.1:{unused_port()}") as channel:
        with fails(sent=False, match=r"^tcp://127.0.0.1:\d+: Connection refused$"):
            channel.exchange(CALL, AMPLE)
        assert not channel.is_alive()


def test_no_descriptor_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(_: object) -> socket.socket:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with listening() as server, connected(server.address) as channel:
        monkeypatch.setattr(places.Place, "socket", exhausted)
        with fails(sent=False, match="Too many open files"):
            channel.exchange(CALL, AMPLE)


def test_path_without_listener(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with connected(f"ipc://{path}") as channel:
        with fails(sent=False, match="No such file or directory"):
            channel.exchange(CALL, AMPLE)
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(str(path))
        with fails(sent=False, match="Connection refused"):
            channel.exchange(CALL, AMPLE)


def test_connection_to_itself_is_refused() -> None:
    port = unused_port()
    with (
        connected(f"tcp://127.0.0.1:{port};127.0.0.1:{port}") as channel,
        fails(sent=False, match="Connection refused"),
    ):
        channel.exchange(CALL, AMPLE)


@pytest.mark.parametrize("stage", range(3))
def test_silence_in_the_handshake(stage: int) -> None:
    def silent() -> None:
        made = server.accept()
        made.sendall(zmtp_servers.router().greeting()[: (0, 20, 64)[stage]])

    with listening() as server, connected(server.address) as channel, doing(silent):
        before = descriptors()
        with fails(
            sent=False, match="within 50 ms: the connection was not ready in time", late=True
        ):
            channel.exchange(CALL, 50)
        assert descriptors() <= before + 1  # that of the server


def test_full_queue_of_a_port_that_nobody_takes_from() -> None:
    with listening(0) as server, contextlib.ExitStack() as left:
        for _ in range(3):
            filler = left.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", server.port))
        with (
            connected(server.address) as channel,
            fails(sent=False, match="the connection was not ready in time", late=True),
        ):
            channel.exchange(CALL, 50)


def test_full_queue_of_a_path(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with listening(0, socket.AF_UNIX, path) as server, contextlib.ExitStack() as left:
        filler = left.enter_context(socket.socket(socket.AF_UNIX))
        filler.connect(path)
        with connected(server.address) as channel:
            with fails(sent=False, match="the connection was not ready in time", late=True):
                channel.exchange(CALL, 50)

            def take_all() -> None:
                server.accept()
                answer(server.wire())

            with doing(take_all):
                assert channel.exchange(CALL, AMPLE) == [b"OK", b"{}"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak ZMTP: it began with b'HTTP/1.1'"),
        (b"\x01\x00", "speaks ZMTP 1.0, this transport ZMTP 3; the setting transport"),
        (b"", "the connection ended in its handshake"),
    ],
)
def test_server_that_speaks_something_else(said: bytes, told: str) -> None:
    def speak() -> None:
        made = server.accept()
        made.recv(64, socket.MSG_WAITALL)
        made.sendall(said)
        made.close()

    with (
        listening() as server,
        connected(server.address) as channel,
        doing(speak),
        fails(sent=False, match=told),
    ):
        channel.exchange(CALL, AMPLE)


@pytest.mark.parametrize("end", [reset, socket.socket.close])
def test_end_of_the_connection_while_a_call_is_in_flight(
    end: Callable[[socket.socket], None],
) -> None:
    def take_and_end() -> None:
        server.wire().message()
        end(server.accepted[0])

    with (
        listening() as server,
        connected(server.address) as channel,
        doing(take_and_end),
        fails(sent=True, match="the connection ended|Connection reset"),
    ):
        channel.exchange(CALL, AMPLE)


def test_service_that_is_killed(processes: helpers.Processes) -> None:
    program = (
        "import socket, zmtp_servers\n"
        "server = zmtp_servers.Listening()\n"
        "print(server.address, flush=True)\n"
        "print('took', server.wire().message(), flush=True)\n"
        "server.wire()\n"
    )
    service = processes.python("-c", program, directory=Path(helpers.__file__).parent)
    address = service.wait_for(r"tcp://\S+")[0]

    def kill() -> None:
        service.wait_for("took")
        service.kill()

    with connected(address) as channel:
        with doing(kill), fails(sent=True, match="the connection ended|Connection reset"):
            channel.exchange(CALL, AMPLE)
        with fails(sent=False, match="Connection refused"):
            channel.exchange(CALL, AMPLE)


@pytest.mark.parametrize("garbage", [[b"zz"], [b"", b"OK"], [b"\x00", b"OK", b"{}"], [b"", b""]])
def test_what_is_no_reply(garbage: list[bytes]) -> None:
    def answer_garbage() -> None:
        wire = server.wire()
        wire.message()
        wire.send(*garbage)

    with (
        listening() as server,
        connected(server.address) as channel,
        doing(answer_garbage),
        fails(sent=True, match="it answered with what is no reply"),
    ):
        channel.exchange(CALL, AMPLE)


def test_request_that_left_in_part_was_not_sent() -> None:
    def take_some() -> None:
        server.wire()
        server.accepted[0].recv(1000)
        reset(server.accepted[0])

    with (
        listening() as server,
        connected(server.address) as channel,
        doing(take_some),
        fails(sent=False, match="Connection reset|Broken pipe"),
    ):
        channel.exchange([b"CALL", bytes(50_000_000)], AMPLE)


def test_request_that_a_server_does_not_take_in_time() -> None:
    with (
        listening() as server,
        connected(server.address) as channel,
        doing(server.wire),
        fails(sent=False, match="the connection was not ready in time", late=True),
    ):
        channel.exchange([b"CALL", bytes(50_000_000)], 300)


@pytest.mark.parametrize("piece", [65536, 5])  # bytes that are received at a time
def test_refusal_of_a_request_that_is_too_big(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROOM", piece)

    def refuse() -> None:
        wire = server.wire()
        server.accepted[0].recv(1000)
        wire.send(b"", b"OK", b"too big")
        server.accepted[0].close()
        answer(server.wire())

    with listening() as server, connected(server.address) as channel, doing(refuse):
        assert channel.exchange([b"CALL", bytes(50_000_000)], AMPLE) == [b"OK", b"too big"]
        assert channel.exchange(CALL, AMPLE) == [b"OK", b"{}"]


def test_connection_that_ends_after_the_answer_to_a_large_request_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_FRESH", 60.0)
    has_ended = threading.Event()

    def refuse() -> None:
        answer(server.wire(), b"too big")
        server.accepted[0].close()
        has_ended.set()
        answer(server.wire())

    with listening() as server, connected(server.address) as channel, doing(refuse):
        assert channel.exchange([b"CALL", bytes(5_000)], AMPLE) == [b"OK", b"too big"]
        assert has_ended.wait(AMPLE)
        assert channel.exchange(CALL, AMPLE) == [b"OK", b"{}"]


def test_reply_beyond_the_limit() -> None:
    def answer_much() -> None:
        wire = server.wire()
        wire.message()
        wire.send_bytes(b"\x01\x00\x01\x02OK\x02" + (2**40).to_bytes(8, "big"))

    with (
        listening() as server,
        connected(server.address) as channel,
        doing(answer_much),
        fails(sent=True, match=r"sent a message of \d+ bytes, which is more than this client"),
    ):
        channel.exchange(CALL, AMPLE)


def test_limit_of_a_service_is_not_that_of_its_replies() -> None:
    with listening() as server:
        transport = ZmtpTransport(Limits(frame=1000))
        with (
            connected(server.address, transport) as channel,
            doing(lambda: answer(server.wire(), bytes(1_000_000))),
        ):
            assert channel.exchange(CALL, AMPLE) == [b"OK", bytes(1_000_000)]


def test_timeout_of_years() -> None:
    with (
        listening() as server,
        connected(server.address) as channel,
        doing(lambda: answer(server.wire())),
    ):
        assert channel.exchange(CALL, 1e14) == [b"OK", b"{}"]


def test_failed_call_ends_its_connection() -> None:
    def serve() -> None:
        late = server.wire()
        request = late.message()
        answer(server.wire(), b"right")
        with contextlib.suppress(OSError):
            late.send(*request[:1], b"OK", b"late")

    with listening() as server, connected(server.address) as channel, doing(serve):
        with fails(sent=True, match="within 50 ms$", late=True):
            channel.exchange(CALL, 50)
        assert channel.exchange(CALL, AMPLE) == [b"OK", b"right"]


def test_what_a_failed_call_sent_does_not_arrive_later() -> None:
    def serve() -> None:
        server.wire().message()
        # The system sends nothing again on a connection that was reset.
        with pytest.raises(ConnectionResetError):
            server.accepted[0].recv(1)

    with (
        listening() as server,
        connected(server.address) as channel,
        doing(serve),
        fails(sent=True, late=True),
    ):
        channel.exchange(CALL, 50)


def test_trickle_does_not_prolong_a_timeout() -> None:
    over = threading.Event()

    def trickle() -> None:
        wire = server.wire()
        wire.message()
        with contextlib.suppress(OSError):
            while not over.wait(0.001):  # so many at once are a fault
                wire.send_bytes(wire.connection.ping(0))

    with listening() as server, connected(server.address) as channel, doing(trickle):
        started = time.monotonic()
        with fails(sent=True, late=True):
            channel.exchange(CALL, 200)
        assert time.monotonic() - started < helpers.PATIENCE / 3
        over.set()


def test_what_comes_without_a_pause_does_not_prolong_a_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end = time.monotonic() + helpers.PATIENCE

    def take(_: object) -> bool:
        assert time.monotonic() < end
        return True

    def serve() -> None:
        wire = server.wire()
        answer(wire)
        wire.message()
        wire.send_bytes(b"unread")

    with listening() as server, connected(server.address) as channel, doing(serve):
        channel.exchange(CALL, AMPLE)
        channel._used = math.inf  # the connection is not looked at
        monkeypatch.setattr(channel, "_take", take)
        with fails(sent=True, late=True):
            channel.exchange(CALL, 50)


@pytest.mark.parametrize("budget", [0.0, 0.01])
def test_ping_is_answered(budget: float) -> None:
    pongs: list[Any] = []
    pinged, used = threading.Event(), threading.Event()

    def serve() -> None:
        wire = server.wire()
        request = wire.message()
        wire.send_bytes(wire.connection.ping(0, b"during"))
        pongs.append(wire.next())
        wire.send(*request[:1], b"OK", b"first")
        assert used.wait(helpers.PATIENCE)
        wire.send_bytes(wire.connection.ping(0, b"between"))
        pinged.set()
        pongs.append(wire.next())
        answer(wire, b"second")

    transport = ZmtpTransport(budget=budget)
    with listening() as server, connected(server.address, transport) as channel, doing(serve):
        assert channel.exchange(CALL, AMPLE) == [b"OK", b"first"]
        used.set()
        assert pinged.wait(helpers.PATIENCE)
        arrives(channel)
        assert channel.exchange(CALL, AMPLE) == [b"OK", b"second"]
    assert [pong.context for pong in pongs] == [b"during", b"between"]
    assert len(server.accepted) == 1


def test_connection_with_unasked_messages_is_not_used_again() -> None:
    said, used = threading.Event(), threading.Event()

    def serve() -> None:
        wire = server.wire()
        answer(wire, b"first")
        assert used.wait(helpers.PATIENCE)
        wire.send(b"", b"OK", b"nobody asked")
        said.set()
        answer(server.wire(), b"second")

    with listening() as server, connected(server.address) as channel, doing(serve):
        assert channel.exchange(CALL, AMPLE) == [b"OK", b"first"]
        used.set()
        assert said.wait(helpers.PATIENCE)
        arrives(channel)
        assert channel.exchange(CALL, AMPLE) == [b"OK", b"second"]


def test_any_exception_closes_the_connection() -> None:
    class Stop(BaseException):
        pass

    def stop(*_: object) -> None:
        raise Stop

    asked = threading.Event()

    def interrupt() -> None:
        server.wire().message()
        asked.set()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with listening() as server, connected(server.address) as channel, doing(interrupt):
            with pytest.raises(Stop):
                channel.exchange(CALL, AMPLE)
            assert not channel.is_alive()
            assert channel._socket is None
    finally:
        signal.signal(signal.SIGUSR1, before)


# Calls that another thread aborts.


def test_aborted_call_ends_at_once_and_resets_its_connection() -> None:
    def abort() -> None:
        server.wire().message()
        channel.abort()
        news = select.poll()
        news.register(server.accepted[0], 0)
        # Not told of an end that leaves the other direction open.
        assert news.poll(AMPLE)

    with (
        listening() as server,
        connected(server.address) as channel,
        doing(abort),
        fails(sent=True, match="the connection ended"),
    ):
        channel.exchange(CALL, AMPLE)


def test_aborted_before_its_call_begins() -> None:
    with listening() as server, connected(server.address) as channel:
        channel.abort()
        with fails(sent=False, match="the call was aborted"):
            channel.exchange(CALL, AMPLE)


def test_aborted_between_two_calls() -> None:
    with listening() as server, connected(server.address) as channel:
        with doing(lambda: answer(server.wire())):
            channel.exchange(CALL, AMPLE)
        channel.abort()
        with fails(sent=False, match="Broken pipe|the connection ended|aborted"):
            channel.exchange(CALL, AMPLE)


def test_aborted_in_the_handshake() -> None:
    def abort() -> None:
        server.accept()
        channel.abort()

    with (
        listening() as server,
        connected(server.address) as channel,
        doing(abort),
        fails(sent=False),
    ):
        channel.exchange(CALL, AMPLE)


def test_aborted_while_it_is_sent() -> None:
    def abort() -> None:
        server.wire()
        server.accepted[0].recv(1000)
        channel.abort()

    with (
        listening() as server,
        connected(server.address) as channel,
        doing(abort),
        fails(sent=False, match="Broken pipe"),
    ):
        channel.exchange([b"CALL", bytes(50_000_000)], AMPLE)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_aborted_in_a_full_queue(family: int, tmp_path: Path) -> None:
    where = str(tmp_path / "socket") if family == socket.AF_UNIX else None
    with listening(0, family, where) as server, contextlib.ExitStack() as left:
        for _ in range(3):
            filler = left.enter_context(socket.socket(family))
            filler.setblocking(False)
            filler.connect_ex(where or ("127.0.0.1", server.port))

        def abort() -> None:
            helpers.until(lambda: channel._socket is not None)
            channel.abort()

        with connected(server.address) as channel, doing(abort), fails(sent=False):
            channel.exchange(CALL, AMPLE)


def test_aborted_in_a_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, over = threading.Event(), threading.Event()

    def slow(address: str) -> Any:
        asked.set()
        over.wait(helpers.PATIENCE)
        return []

    def abort() -> None:
        assert asked.wait(helpers.PATIENCE)
        channel.abort()

    monkeypatch.setattr(places, "look_up", slow)
    with (
        connected("tcp://slow.example:1") as channel,
        doing(abort),
        fails(sent=False, match="the call was aborted"),
    ):
        channel.exchange(CALL, AMPLE)
    over.set()


def test_no_other_place_is_tried_for_an_aborted_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def abort() -> None:
        server.accept()
        channel.abort()

    with listening() as server, listening() as other:
        found = [(socket.AF_INET, ("127.0.0.1", one.port)) for one in (server, other)]
        resolving(monkeypatch, *found)
        with (
            connected("tcp://many:1") as channel,
            doing(abort),
            fails(sent=False, match="the call was aborted"),
        ):
            channel.exchange(CALL, AMPLE)
        other.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.accept()


def test_abort_touches_no_socket_that_has_the_number_of_a_closed_one() -> None:
    with listening() as server, connected(server.address) as channel:
        with doing(lambda: answer(server.wire())):
            channel.exchange(CALL, AMPLE)
        assert channel._socket is not None
        number = channel._socket.fileno()
        channel.close()
        with contextlib.ExitStack() as left:
            pairs = [left.enter_context(one) for one in socket.socketpair()]
            assert number in [one.fileno() for one in pairs]
            channel.abort()
            pairs[0].sendall(b"all is well")
            assert pairs[1].recv(100) == b"all is well"


def test_aborts_at_any_moment_of_calls() -> None:
    outcomes = set()

    def abort(pause: float) -> None:
        time.sleep(pause)
        channel.abort()

    with Stage() as stage:
        before = descriptors()
        for number in range(100):
            aborting = partial(abort, number % 20 * 1e-4)
            with connected(stage.listener.address) as channel, doing(aborting):
                try:
                    while True:
                        assert channel.exchange(CALL, AMPLE) == [b"OK", b"{}"]
                except ServiceNotAvailable as error:
                    outcomes.add(type(error))
        helpers.until(lambda: not stage.connections())
        assert descriptors() == before
    assert outcomes == {ServiceNotAvailable}


@pytest.mark.parametrize("what", ["handshake", "reply"])
def test_signals_do_not_matter(what: str) -> None:
    def serve() -> None:
        if what == "reply":
            wire = server.wire()
            request = wire.message()
            helpers.until(lambda: storm.count >= 20)
            wire.send(*request[:1], b"OK", b"first")
        else:
            server.accept()

    with listening() as server, connected(server.address) as channel, Storm() as storm:
        with doing(serve):
            if what == "reply":
                assert channel.exchange(CALL, AMPLE) == [b"OK", b"first"]
            started = time.monotonic()
            with fails(sent=what == "reply", late=True):
                channel.exchange(CALL, 200)
            assert time.monotonic() - started >= 0.19
        assert not storm.is_over


# Places.


def resolving(monkeypatch: pytest.MonkeyPatch, *found: tuple[Any, ...]) -> None:
    """Let the system find these places for the name `many`."""
    ask = socket.getaddrinfo

    def answer_many(host: Any, *arguments: Any, **options: Any) -> Any:
        if host != "many":
            return ask(host, *arguments, **options)
        if options["flags"] & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "no number")
        return [(family, socket.SOCK_STREAM, 6, "", where) for family, where in found]

    monkeypatch.setattr(socket, "getaddrinfo", answer_many)


def test_second_place_is_tried_after_one_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as server:
        resolving(
            monkeypatch,
            (socket.AF_INET6, ("::1", unused_port(), 0, 0)),
            (socket.AF_INET, ("127.0.0.1", server.port)),
        )
        with (
            connected(f"tcp://many:{server.port}") as channel,
            doing(lambda: answer(server.wire())),
        ):
            assert channel.exchange(CALL, AMPLE) == [b"OK", b"{}"]


def test_second_place_is_tried_after_one_that_speaks_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with listening() as server, listening() as other:
        resolving(
            monkeypatch,
            (socket.AF_INET, ("127.0.0.1", other.port)),
            (socket.AF_INET, ("127.0.0.1", server.port)),
        )
        with (
            connected("tcp://many:1") as channel,
            doing(lambda: other.accept().sendall(b"HTTP/1.1 400\r\n")),
            doing(lambda: answer(server.wire())),
        ):
            assert channel.exchange(CALL, AMPLE) == [b"OK", b"{}"]


def test_places_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[float] = []

    def keep_silent(_channel: object, _place: object, until: float) -> None:
        shares.append(until - began)
        raise TimeoutError("no answer")

    here = [(socket.AF_INET, ("127.0.0.1", number)) for number in range(1, 5)]
    resolving(monkeypatch, *here)
    monkeypatch.setattr(BlockingChannel, "_connect_to", keep_silent)
    began = time.monotonic()
    with connected("tcp://many:1") as channel, fails(sent=False, match="no answer"):
        channel.exchange(CALL, 1e9)
    assert [round(share / 1e6, 2) for share in shares] == [0.25, 0.33, 0.5, 1]


def test_slow_look_up_ends_with_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, found = [], threading.Event()

    def slow(address: str) -> Any:
        asked.append(address)
        found.wait(helpers.PATIENCE)
        return [places.Place(socket.AF_INET, ("127.0.0.1", server.port))]

    monkeypatch.setattr(places, "look_up", slow)
    with listening() as server, connected("tcp://slow.example:1") as channel:
        for _ in range(2):
            with fails(sent=False, match="its host name was not looked up in time", late=True):
                channel.exchange(CALL, 50)
        assert asked == ["tcp://slow.example:1"], "one look-up at a time"
        found.set()
        with doing(lambda: answer(server.wire())):
            assert channel.exchange(CALL, AMPLE) == [b"OK", b"{}"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "cannot be resolved"),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), "timed out"),
    ],
)
def test_name_that_nobody_knows(error: OSError, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(address: str) -> Any:
        raise error

    monkeypatch.setattr(places, "look_up", unknown)
    with connected("tcp://nowhere.example:1") as channel, fails(sent=False, match=told):
        channel.exchange(CALL, AMPLE)


@pytest.mark.parametrize("source", ["127.0.0.1:0", "127.0.0.1", "lo:0", "lo"])
def test_connection_from_a_source(source: str) -> None:
    with (
        listening() as server,
        connected(f"tcp://{source};127.0.0.1:{server.port}") as channel,
        doing(lambda: answer(server.wire())),
    ):
        assert channel.exchange(CALL, AMPLE) == [b"OK", b"{}"]


def test_source_with_a_port() -> None:
    port = unused_port()
    with (
        listening() as server,
        connected(f"tcp://127.0.0.1:{port};127.0.0.1:{server.port}") as channel,
        doing(lambda: answer(server.wire())),
    ):
        assert channel.exchange(CALL, AMPLE) == [b"OK", b"{}"]
        assert server.accepted[0].getpeername() == ("127.0.0.1", port)


# Peers.


def test_router_of_libzmq() -> None:
    blob = os.urandom(1_000_000)

    with libzmq(zmq.ROUTER) as router:
        port = router.bind_to_random_port("tcp://127.0.0.1")

        def echo() -> None:
            for _ in range(3):
                identity, delimiter, _, *others = router.recv_multipart()
                router.send_multipart([identity, delimiter, b"OK", *others])

        with connected(f"tcp://127.0.0.1:{port}") as channel, doing(echo):
            for frame in (b"", b"small", blob):
                assert channel.exchange([b"CALL", frame], AMPLE) == [b"OK", frame]


def test_large_reply_is_a_view() -> None:
    with (
        listening() as server,
        connected(server.address) as channel,
        doing(lambda: answer(server.wire())),
    ):
        reply = channel.exchange([b"CALL", memoryview(bytes(5_000_000))], AMPLE)
        assert isinstance(reply[1], memoryview)
        assert reply[1] == bytes(5_000_000)


# Polling.


@pytest.mark.parametrize(
    ("budget", "pushed_aside"), [(1e-9, math.inf), (AMPLE, -1.0)], ids=["late", "pushed aside"]
)
def test_looking_for_a_reply_ends(
    budget: float, pushed_aside: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = threading.Event()
    monkeypatch.setattr(polling, "cores", lambda: 2.0)
    monkeypatch.setattr(module, "PUSHED_ASIDE", pushed_aside)
    monkeypatch.setattr(polling.Polling, "failed", lambda *_, **__: looked.set())

    def answer_late() -> None:
        wire = server.wire()
        request = wire.message()
        assert looked.wait(helpers.PATIENCE)
        wire.send(*request[:1], b"OK", b"late")

    transport = ZmtpTransport(budget=budget)
    with listening() as server, connected(server.address, transport) as channel, doing(answer_late):
        assert channel.exchange(CALL, AMPLE) == [b"OK", b"late"]


def test_who_looks_gives_way_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    gave_way = threading.Event()
    monkeypatch.setattr(polling, "cores", lambda: 2.0)
    monkeypatch.setattr(module, "PUSHED_ASIDE", math.inf)
    monkeypatch.setattr(module, "give_way", gave_way.set)

    def answer_then() -> None:
        wire = server.wire()
        request = wire.message()
        assert gave_way.wait(helpers.PATIENCE)
        wire.send(*request[:1], b"OK", b"seen")

    transport = ZmtpTransport(budget=AMPLE)
    with listening() as server, connected(server.address, transport) as channel, doing(answer_then):
        assert channel.exchange(CALL, AMPLE) == [b"OK", b"seen"]


# Processes, and the end.


def test_child_leaves_the_connection_to_its_parent() -> None:
    def serve() -> None:
        wire = server.wire()
        answer(wire, b"parent")
        answer(server.wire(), b"child")
        answer(wire, b"parent again")

    with listening() as server, connected(server.address) as channel, doing(serve):
        assert channel.exchange(CALL, AMPLE) == [b"OK", b"parent"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the test has threads
            child = os.fork()
        if not child:
            channel.close()
            own = ZmtpTransport().connect(server.address)
            os._exit(own.exchange(CALL, AMPLE) != [b"OK", b"child"])
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert channel.exchange(CALL, AMPLE) == [b"OK", b"parent again"]


def test_dropped_channel_closes_silently(collect: Callable[[], object]) -> None:
    with listening() as server, doing(lambda: answer(server.wire())):
        channel = ZmtpTransport().connect(server.address)
        channel.exchange(CALL, AMPLE)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            del channel
            collect()
        assert server.accepted[0].recv(100) == b""
