"""0MQ sockets: messages that are sent, that arrive, and that are dropped."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket as sockets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import helpers
import pytest
import zmq
from awaited import comes_true
from helpers import until
from storm import Storm

from pycom_core import CallTimeout, ConfigurationError, ServiceNotAvailable
from pycom_core.messages import Delivery
from pycom_core.timeouts import LONGEST
from pycom_plugins.transport_zmq.channel import DealerChannel
from pycom_plugins.transport_zmq.listener import RouterListener
from pycom_plugins.transport_zmq.transport import ZmqTransport

ANY_PORT = "tcp://127.0.0.1:*"
NOBODY: Any = None  # a listener does not look at its server


@pytest.fixture
def transport() -> Iterator[ZmqTransport]:
    transport = ZmqTransport()
    yield transport
    transport.close()


class Pair:
    """A listener and a channel to it."""

    def __init__(self, transport: ZmqTransport) -> None:
        self.listener: RouterListener = transport.listen(ANY_PORT, NOBODY)
        self.channel: DealerChannel = transport.connect(self.listener.address)

    def arrives(self) -> Delivery:
        """The next message, waited for."""
        assert self.listener.socket.poll(helpers.PATIENCE * 1000)
        arrival = self.listener.receive()
        assert arrival is not None
        return arrival

    def sends(self, *payload: bytes) -> list[Any]:
        """Have the channel send a message and wait for no answer; what arrived."""
        until(self.channel.is_alive)
        with pytest.raises(CallTimeout):
            self.channel.exchange(payload, 1)
        return [*self.arrives().frames]


@pytest.fixture
def pair(transport: ZmqTransport) -> Iterator[Pair]:
    pair = Pair(transport)
    yield pair
    pair.channel.close()
    pair.listener.close()


def test_bound_address_has_the_real_port(pair: Pair) -> None:
    host, port = pair.listener.address.rsplit(":", 1)
    assert host == "tcp://127.0.0.1"
    assert int(port) > 0


def test_request_and_reply(pair: Pair) -> None:
    identity, *request = pair.sends(b"CALL", b"{}", b"")
    assert request == [b"", b"CALL", b"{}", b""]
    assert pair.listener.receive() is None
    before = time.monotonic()
    assert pair.listener.send([identity, b"", b"OK", b"right", b"\x00"])
    assert pair.channel.exchange([b"CALL", b"{}"], 30_000) == [b"OK", b"right", b"\x00"]
    found = pair.arrives()
    arrived, frames = found.arrived, found.frames
    assert frames == [identity, b"", b"CALL", b"{}"]
    assert before <= arrived <= time.monotonic()


@pytest.mark.parametrize("garbage", [[b"zz"], [b"", b"OK"], [b"\x00", b"OK", b"{}"], [b"", b""]])
def test_what_is_no_reply(garbage: list[bytes], pair: Pair) -> None:
    identity = pair.sends(b"CALL", b"{}")[0]
    assert pair.listener.send([identity, *garbage])
    with pytest.raises(ServiceNotAvailable, match=r"127.0.0.1:\d+ answered with what is no reply"):
        pair.channel.exchange([b"CALL", b"{}"], 30_000)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 1_000_000])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_frames_of_every_size_and_kind(size: int, kind: Any, pair: Pair) -> None:
    frame = b"\xa5" * size
    assert pair.sends(b"CALL", kind(frame))[-1] == frame


def test_timeout_says_so(pair: Pair) -> None:
    pair.sends(b"CALL", b"{}")
    started = time.monotonic()
    with pytest.raises(CallTimeout, match=r"No answer from tcp://127.0.0.1:\d+ within 100 ms$"):
        pair.channel.exchange([b"CALL", b"{}"], 100)
    assert time.monotonic() - started >= 0.09


def test_nothing_is_queued_for_a_peer_that_is_not_there(transport: ZmqTransport) -> None:
    with sockets.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    channel = transport.connect(address)
    assert not channel.is_alive()
    assert transport.obstacle(address, 1000) == "Connection refused"
    with pytest.raises(CallTimeout, match=f"No answer from {address} within 50 ms: there is no"):
        channel.exchange([b"CALL", b"early"], 50)
    listener = transport.listen(address, NOBODY)
    assert transport.obstacle(address, 1000) is None
    until(channel.is_alive)
    with pytest.raises(CallTimeout):
        channel.exchange([b"CALL", b"later"], 1)
    assert listener.socket.poll(helpers.PATIENCE * 1000)
    arrival = listener.receive()
    assert arrival is not None
    assert arrival.frames[-1] == b"later"
    assert listener.receive() is None
    channel.close()
    listener.close()


@pytest.mark.parametrize("what", ["connection", "reply"])
@pytest.mark.parametrize("where", ["main thread", "another thread"])
def test_signals_do_not_prolong_a_timeout(what: str, where: str, pair: Pair) -> None:
    if what == "connection":
        pair.listener.close()
        until(lambda: not pair.channel.is_alive())
    else:
        until(pair.channel.is_alive)
    ended: list[tuple[float, bool]] = []
    called, may_end = threading.Event(), threading.Event()

    def call() -> None:
        started = time.monotonic()
        with pytest.raises(CallTimeout, match="within 200 ms"):
            pair.channel.exchange([b"CALL", b"{}"], 200)
        ended.append((time.monotonic() - started, storm.is_over))

    def call_and_stay() -> None:
        call()
        called.set()
        may_end.wait(helpers.PATIENCE)

    caller = threading.Thread(target=call_and_stay)
    with Storm(caller) as storm:
        if where == "main thread":
            call()
        else:
            caller.start()
            assert called.wait(helpers.PATIENCE)
    may_end.set()
    if caller.ident is not None:
        caller.join()
    [(seconds, is_over)] = ended
    assert seconds >= 0.2
    assert not is_over
    assert storm.count > 1


def test_reply_arrives_while_signals_do(pair: Pair) -> None:
    until(pair.channel.is_alive)

    def answer() -> None:
        identity = pair.arrives().frames[0]
        until(lambda: storm.count >= 50)
        pair.listener.send([identity, b"", b"OK", b"{}"])

    service = threading.Thread(target=answer)
    with Storm() as storm:
        service.start()
        assert pair.channel.exchange([b"CALL", b"{}"], 30_000) == [b"OK", b"{}"]
        service.join()


def test_what_the_stand_in_receives_is_not_overtaken(pair: Pair) -> None:
    listener, lock = pair.listener, pair.listener._lock
    earlier = Delivery([b"earlier"], time.monotonic())

    class Awaited:
        """A lock that is taken only after the stand-in had it."""

        def __enter__(self) -> None:
            lock.acquire()
            listener._backlog.append(earlier)

        def __exit__(self, *_: object) -> None:
            lock.release()

    until(pair.channel.is_alive)
    with pytest.raises(CallTimeout):
        pair.channel.exchange([b"later"], 1)
    assert listener.socket.poll(helpers.PATIENCE * 1000)
    listener._lock = Awaited()  # type: ignore[assignment]
    assert listener.receive() is earlier
    listener._lock = lock
    assert pair.arrives().frames[-1] == b"later"


@pytest.mark.parametrize("address", ["nonsense", "tcp://nowhere", "tcp://1.2.3.4:99999", ""])
def test_addresses_that_are_none(address: str, transport: ZmqTransport) -> None:
    with pytest.raises(ConfigurationError, match="Invalid address"):
        transport.connect(address)
    with pytest.raises(ConfigurationError, match="Cannot listen on|Invalid address"):
        transport.listen(address, NOBODY)


def test_address_in_use(pair: Pair, transport: ZmqTransport) -> None:
    with pytest.raises(ConfigurationError, match="Address already in use"):
        transport.listen(pair.listener.address, NOBODY)


def test_frames_beyond_the_limit_are_cut_off() -> None:
    transport = ZmqTransport(max_message_size=1000)
    pair = Pair(transport)
    until(pair.channel.is_alive)
    # What is sent before the cut is noticed is lost with the connection: wait for the next one.
    connected = pair.channel.socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    with pytest.raises(CallTimeout):
        pair.channel.exchange([b"CALL", b"x" * 1001], 1)
    assert connected.poll(helpers.PATIENCE * 1000)
    pair.channel.socket.disable_monitor()
    assert pair.sends(b"CALL", b"y" * 1000)[-1] == b"y" * 1000
    assert pair.listener.receive() is None
    pair.channel.close()
    pair.listener.close()
    transport.close()


def test_stand_in_keeps_the_order_and_the_time_of_arrival(pair: Pair) -> None:
    assert not pair.listener.stand_in()
    until(pair.channel.is_alive)
    with pytest.raises(CallTimeout):
        pair.channel.exchange([b"CALL", b"first"], 1)
    assert pair.listener.socket.poll(helpers.PATIENCE * 1000)
    assert pair.listener.stand_in()
    taken_in = time.monotonic()
    with pytest.raises(CallTimeout):
        pair.channel.exchange([b"CALL", b"second"], 1)
    first = pair.listener.receive()
    assert first is not None
    assert first.arrived <= taken_in
    assert first.frames[-1] == b"first"
    found = pair.arrives()
    arrived, frames = found.arrived, found.frames
    assert arrived >= taken_in
    assert frames[-1] == b"second"


def test_reply_to_a_client_that_is_gone(pair: Pair) -> None:
    assert not pair.listener.send([b"nobody", b"", b"OK", b"{}"])
    identity = pair.sends(b"CALL", b"{}")[0]
    assert pair.listener.send([identity, b"1", b"", b"OK", b"{}"])
    pair.channel.close()
    until(lambda: not pair.listener.send([identity, b"1", b"", b"OK", b"{}"]))


def test_closed_while_replies_are_on_their_way(transport: ZmqTransport) -> None:
    listener = transport.listen(ANY_PORT, NOBODY)
    with helpers.Dealer(listener.address) as client:
        client.send(b"", b"CALL", b"{}")
        assert listener.socket.poll(helpers.PATIENCE * 1000)
        arrival = listener.receive()
        assert arrival is not None
        blob = b"\x00" * 5_000_000
        listener.send([arrival.frames[0], b"", b"OK", b"{}", blob])
        listener.close()
        assert client.receive()[-1] == blob


def reaches(transport: ZmqTransport, address: str, listener: RouterListener) -> Any:
    """A channel to an address, after a message has come through it."""
    channel: DealerChannel = transport.connect(address)
    until(channel.is_alive)
    with pytest.raises(CallTimeout):
        channel.exchange([b"CALL", b"{}"], 1)
    assert listener.socket.poll(helpers.PATIENCE * 1000)
    channel.close()
    return listener.receive()


def port_of(listener: RouterListener) -> str:
    return listener.address.rpartition(":")[2]


@contextlib.contextmanager
def listening(transport: ZmqTransport, address: str) -> Iterator[RouterListener]:
    listener = transport.listen(address, NOBODY)
    try:
        yield listener
    finally:
        listener.close()


def test_ipv6(transport: ZmqTransport) -> None:
    with listening(transport, "tcp://[::1]:*") as listener:
        assert listener.address.startswith("tcp://[::1]:")
        assert reaches(transport, listener.address, listener)


def test_ipv6_wildcard_is_for_both_families(transport: ZmqTransport) -> None:
    with listening(transport, "tcp://[::]:*") as listener:
        for host in ("127.0.0.1", "[::1]"):
            assert reaches(transport, f"tcp://{host}:{port_of(listener)}", listener)


@pytest.mark.parametrize("order", [1, -1])
def test_addresses_of_both_families_together(order: int, transport: ZmqTransport) -> None:
    first, second = ["tcp://127.0.0.1:*", "tcp://[::1]:*"][::order]
    with listening(transport, first) as listener:
        listener.also(second)
        for bound, wanted in zip(listener.addresses, (first, second), strict=True):
            assert bound.startswith(wanted.removesuffix("*"))
            assert reaches(transport, bound, listener)


@pytest.fixture
def only_ipv6(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """As far as Python knows, `localhost` has an IPv6 address alone, once this is set."""
    known = threading.Event()

    def getaddrinfo(host: str, port: Any) -> list[Any]:
        assert known.wait(helpers.PATIENCE)
        return [(sockets.AF_INET6, sockets.SOCK_STREAM, 0, "", ("::1", 0, 0, 0))]

    monkeypatch.setattr(sockets, "getaddrinfo", getaddrinfo)
    return known


def test_name_that_only_ipv6_reaches(transport: ZmqTransport, only_ipv6: threading.Event) -> None:
    only_ipv6.set()
    with listening(transport, "tcp://[::]:*") as listener:
        address = f"tcp://localhost:{port_of(listener)}"
        assert transport.dealer(address).getsockopt(zmq.IPV6) == 1
        assert reaches(transport, address, listener)
    assert transport.dealer("tcp://127.0.0.1:1").getsockopt(zmq.IPV6) == 0


def test_name_to_listen_on_that_only_ipv6_has(
    transport: ZmqTransport, only_ipv6: threading.Event
) -> None:
    only_ipv6.set()
    with listening(transport, "tcp://localhost:*") as listener:
        assert listener.socket.getsockopt(zmq.IPV6) == 1


def test_event_loop_is_not_held_up_by_a_lookup(
    transport: ZmqTransport, only_ipv6: threading.Event
) -> None:
    async def call() -> None:
        channel: Any = transport.connect_async(f"tcp://localhost:{port_of(listener)}")
        assert channel._socket.getsockopt(zmq.IPV6) == 0, "nothing is known yet"
        only_ipv6.set()
        await comes_true(lambda: channel._socket.getsockopt(zmq.IPV6))
        reply = asyncio.ensure_future(channel.exchange([b"CALL", b"{}"], 30_000))
        await comes_true(lambda: listener.socket.poll(0))
        arrival = listener.receive()
        assert arrival is not None
        listener.send([*arrival.frames[:3], b"OK", b"{}"])
        assert await reply == [b"OK", b"{}"]
        channel.close()

    with listening(transport, "tcp://[::]:*") as listener:
        asyncio.run(call())


def test_loop_that_ends_before_a_lookup(
    transport: ZmqTransport, only_ipv6: threading.Event
) -> None:
    async def connect() -> Any:
        return transport.connect_async("tcp://localhost:1")

    channel = asyncio.run(connect())
    answer = transport._lookups.only_ipv6("tcp://localhost:1")
    only_ipv6.set()
    assert answer.result(helpers.PATIENCE)
    channel.close()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:-1", "tcp://127.0.0.1:2013x"])
def test_ports_that_are_none_are_not_listened_on(address: str, transport: ZmqTransport) -> None:
    with pytest.raises(ConfigurationError, match="Invalid address .* a port is a number"):
        transport.listen(address, NOBODY)
    with listening(transport, ANY_PORT) as listener, pytest.raises(ConfigurationError):
        listener.also(address)


def test_host_that_is_not_of_this_machine(transport: ZmqTransport) -> None:
    with pytest.raises(ConfigurationError, match="this host has no address or network interface"):
        transport.listen("tcp://nowhere.invalid:*", NOBODY)


def test_relative_path_is_bound_and_reached_whatever_the_directory(
    transport: ZmqTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with listening(transport, "ipc://one") as listener:
        listener.also("ipc://./two")
        assert listener.addresses == [f"ipc://{tmp_path}/one", f"ipc://{tmp_path}/two"]
        assert reaches(transport, "ipc://one", listener)
        monkeypatch.chdir("/")
        for address in listener.addresses:
            assert reaches(transport, address, listener)


def test_hook_sees_the_socket_before_it_is_used() -> None:
    seen: list[Any] = []

    def on_socket(socket: zmq.Socket[bytes], side: str, address: str) -> None:
        seen.append((side, address, socket.getsockopt(zmq.LAST_ENDPOINT)))
        if len(seen) == 3:
            raise KeyError(address)

    transport = ZmqTransport(-1, on_socket)
    pair = Pair(transport)
    nowhere = (b"", b"\x00")
    assert [each[:2] for each in seen] == [
        ("server", ANY_PORT),
        ("client", pair.listener.address),
    ]
    assert all(each[2] in nowhere for each in seen)
    with pytest.raises(KeyError):
        transport.connect(pair.listener.address)
    pair.channel.close()
    pair.listener.close()
    transport.close()


def test_options_that_keep_connections_honest(pair: Pair) -> None:
    for socket in (pair.listener.socket, pair.channel.socket):
        assert socket.getsockopt(zmq.LINGER) == 0
        assert socket.getsockopt(zmq.TCP_KEEPALIVE) == 1


def test_close_is_final_and_leaves_room_for_another_start(transport: ZmqTransport) -> None:
    channel = transport.connect("tcp://127.0.0.1:1")
    transport.close()
    assert channel.socket.closed
    transport.close()
    transport.connect("tcp://127.0.0.1:1").close()


def test_channels_of_one_process_take_turns(
    transport: ZmqTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels = [transport.connect("tcp://127.0.0.1:1") for _ in range(2)]
    assert channels[0]._turn is channels[1]._turn
    monkeypatch.setattr(os, "getpid", lambda: -1)
    channels.append(transport.connect("tcp://127.0.0.1:1"))
    assert channels[2]._turn is not channels[0]._turn, "a parent's may be held for good"
    transport.close()
    for channel in channels:
        channel.close()


def test_who_waits_for_a_reply_keeps_nobody_from_their_turn(transport: ZmqTransport) -> None:
    listener = transport.listen(ANY_PORT, NOBODY)
    waiting, other = (transport.connect(listener.address) for _ in range(2))
    thread = threading.Thread(target=waiting.exchange, args=([b"CALL", b"{}"], 30_000))
    thread.start()
    assert listener.socket.poll(helpers.PATIENCE * 1000)
    first = listener.receive()
    assert other._turn.acquire(timeout=helpers.PATIENCE)
    other._turn.release()
    assert first is not None
    listener.send([first.frames[0], b"", b"OK", b"{}"])
    thread.join()
    for end in (waiting, other, listener):
        end.close()


@pytest.mark.parametrize("timeout", [math.inf, 1e300, LONGEST, LONGEST + 1])
def test_as_long_as_it_takes(timeout: float, pair: Pair) -> None:
    pair.sends(b"CALL", b"{}")  # with a timeout, which does not stay
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(pair.channel.exchange, [b"CALL", b"long"], timeout)
        identity, *request = pair.arrives().frames
        assert request[-1] == b"long"
        assert pair.channel.socket.getsockopt(zmq.RCVTIMEO) in (-1, LONGEST)
        pair.listener.send([identity, b"", b"OK", b"{}"])
        assert call.result() == [b"OK", b"{}"]
