"""Channels for many calls at a time, against servers that do as the test says."""

from __future__ import annotations

import asyncio
import math
import os
import socket
import threading
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import zmq
from awaited import RUNNERS, awaited, comes_true
from zmtp_channels import AMPLE, assert_idle, begin, connected, replies, wire
from zmtp_peers import Wire, libzmq
from zmtp_servers import Listening, doing, fails, listening, reset

from pycom_plugins.transport_zmtp import polling
from pycom_plugins.transport_zmtp.async_channel import AsyncSocketChannel
from pycom_plugins.transport_zmtp.transport import ZmtpTransport

BIG = 50_000_000


@pytest.mark.parametrize("end", [reset, socket.socket.close])
@awaited
async def test_end_of_the_connection_fails_calls_in_flight(
    end: Callable[[socket.socket], None],
) -> None:
    with listening() as server, connected(server.address) as channel:
        calls = [begin(channel, b"%d" % number) for number in range(20)]
        first = await wire(server)
        for _ in calls:
            await asyncio.to_thread(first.message)
        end(server.accepted[0])
        for call in calls:
            with fails(sent=True, match="the connection ended|Connection reset"):
                await call
        again = begin(channel)
        await replies(await wire(server), b"again")
        assert await again == [b"OK", b"again"]


@awaited
async def test_cancelled_call_that_has_not_left_is_taken_back() -> None:
    with listening() as server, connected(server.address) as channel:
        given_up, kept = begin(channel, b"given up"), begin(channel, b"kept")
        await asyncio.sleep(0)
        given_up.cancel()
        first = await wire(server)
        assert (await replies(first))[-1] == b"kept"
        assert await kept == [b"OK", b"kept"]
        last = begin(channel, b"last")
        assert (await replies(first))[-1] == b"last"
        await last
        only = begin(channel, b"only")
        await asyncio.sleep(0)
        only.cancel()


@awaited
async def test_calls_that_do_not_fit_are_taken_back() -> None:
    with listening() as server, connected(server.address) as channel:
        begun = begin(channel, b"begun", bytes(BIG))
        first = await wire(server)
        await comes_true(lambda: channel._unsent.cut)
        late, cancelled = begin(channel, b"late", timeout=50), begin(channel, b"cancelled")
        kept = begin(channel, b"kept")
        with fails(sent=False, match="it takes nothing in", late=True):
            await late
        cancelled.cancel()
        requests = [await replies(first, b"fine") for _ in range(2)]
        assert [request[3] for request in requests] == [b"begun", b"kept"]
        assert await begun == await kept == [b"OK", b"fine"]
        assert_idle(channel)
        assert not channel._is_writing


@awaited
async def test_request_that_left_in_part_was_not_sent() -> None:
    with listening() as server, connected(server.address) as channel:
        begun, waiting = begin(channel, bytes(BIG)), begin(channel, b"waiting")
        await wire(server)
        await comes_true(lambda: channel._unsent.cut)
        reset(server.accepted[0])
        with fails(sent=False, match="Connection reset|Broken pipe"):
            await begun
        assert (await replies(await wire(server)))[-1] == b"waiting"
        assert await waiting == [b"OK", b"waiting"]


@awaited
async def test_refusal_of_a_request_that_is_too_big() -> None:
    def refuse() -> None:
        first = server.wire()
        server.accepted[0].recv(100)
        first.send(b"1", b"", b"OK", b"too big")
        server.accepted[0].close()

    with listening() as server, connected(server.address) as channel, doing(refuse):
        assert await channel.exchange([b"CALL", bytes(BIG)], AMPLE) == [b"OK", b"too big"]


@awaited
async def test_end_that_the_loop_has_not_noticed_yet() -> None:
    with listening() as server, connected(server.address) as channel:
        call = begin(channel)
        await replies(await wire(server), b"first")
        await call
        server.accepted[0].close()
        threading.Event().wait(0.02)  # the loop is busy
        again = begin(channel)
        await replies(await wire(server), b"again")
        assert await again == [b"OK", b"again"]


@pytest.mark.parametrize("garbage", [[b"1", b"OK", b"{}"], [b"1", b""], [b"1", b"", b"OK"]])
@awaited
async def test_what_is_no_reply(garbage: list[bytes]) -> None:
    with listening() as server, connected(server.address) as channel:
        call = begin(channel)
        first = await wire(server)
        await asyncio.to_thread(first.message)
        first.send(b"unknown", b"", b"OK", b"{}")
        first.send(*garbage)
        with fails(sent=True, match="it answered with what is no reply"):
            await call


@awaited
async def test_reply_before_a_fault_of_the_peer() -> None:
    with listening() as server, connected(server.address) as channel:
        right, other = begin(channel, b"1"), begin(channel, b"2")
        first = await wire(server)
        await asyncio.to_thread(first.message)
        await asyncio.to_thread(first.message)
        reply = b"".join(first.connection.encode([b"1", b"", b"OK", b"right"]))
        first.send_bytes(reply + b"\xff\xff")
        assert await right == [b"OK", b"right"]
        with fails(sent=True, match="flags 0xff"):
            await other


@awaited
async def test_ping_is_answered_between_calls() -> None:
    with listening() as server, connected(server.address) as channel:
        call = begin(channel)
        first = await wire(server)
        await replies(first, b"fine")
        await call
        first.send_bytes(first.connection.ping(0, b"there?"))
        pong: Any = await asyncio.to_thread(first.next)
        assert pong.context == b"there?"


@awaited
async def test_router_of_libzmq() -> None:
    blob = os.urandom(1_000_000)
    with libzmq(zmq.ROUTER) as other:
        port = other.bind_to_random_port("tcp://127.0.0.1")

        def echo() -> None:
            requests = [other.recv_multipart() for _ in range(20)]
            for identity, correlation, _, command, *others in reversed(requests):
                assert command == b"CALL"
                other.send_multipart([identity, correlation, b"", b"OK", *others])

        with connected(f"tcp://127.0.0.1:{port}") as channel, doing(echo):
            calls = [begin(channel, b"%d" % number, blob) for number in range(20)]
            for number, reply in enumerate(await asyncio.gather(*calls)):
                assert reply == [b"OK", b"%d" % number, blob]


# The end.


@awaited
async def test_close_while_connecting() -> None:
    with listening() as server, connected(server.address) as channel:
        call = begin(channel)
        await asyncio.to_thread(server.accept)
        assert channel.is_open()
        channel.close()
        channel.close()
        with fails(sent=False, match="was closed"):
            await call
        assert not channel.is_open()
        assert_idle(channel)


@pytest.mark.parametrize("run", RUNNERS.values(), ids=RUNNERS)
def test_channel_ends_with_its_loop(
    run: Callable[[Coroutine[Any, Any, Any]], Any], collect: Callable[[], object]
) -> None:
    async def calls() -> AsyncSocketChannel:
        channel = ZmtpTransport().connect_async(server.address)
        call = begin(channel)
        await replies(await wire(server), b"fine")
        assert await call == [b"OK", b"fine"]
        return channel

    with listening() as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        channel = run(calls())
        channel.close()
        assert server.accepted[0].recv(100) == b""
        run(calls())
        collect()
        assert server.accepted[1].recv(100) == b""


@pytest.mark.parametrize("run", RUNNERS.values(), ids=RUNNERS)
def test_child_leaves_the_connection_to_its_parent(
    run: Callable[[Coroutine[Any, Any, Any]], Any],
) -> None:
    async def calls() -> None:
        with connected(server.address) as channel:
            call = begin(channel)
            first = await wire(server)
            await replies(first, b"before")
            assert await call == [b"OK", b"before"]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # there are threads
                child = os.fork()
            if not child:
                channel.close()
                os._exit(channel.is_open())
            _, status = await asyncio.to_thread(os.waitpid, child, 0)
            assert os.waitstatus_to_exitcode(status) == 0
            again = begin(channel)
            await replies(first, b"after")
            assert await again == [b"OK", b"after"]

    with listening() as server:
        run(calls())


# Polling.


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ends of waits for replies, on a machine with several cores where nobody is in the way."""
    outcomes: list[str] = []
    monkeypatch.setattr(polling, "cores", lambda: 2.0)
    monkeypatch.setattr("pycom_plugins.transport_zmtp.async_channel.PUSHED_ASIDE", math.inf)
    for name in ("succeeded", "failed"):
        monkeypatch.setattr(polling.Polling, name, lambda _, name=name: outcomes.append(name))
    return outcomes


async def warm(server: Listening, channel: AsyncSocketChannel) -> Wire:
    """Connect: the first call is not looked for."""
    first = begin(channel, b"{}")
    peer = await wire(server)
    await replies(peer)
    await first
    return peer


@awaited
async def test_reply_is_looked_for_while_the_loop_goes_on(outcomes: list[str]) -> None:
    with listening() as server, connected(server.address, budget=AMPLE) as channel:
        peer = await warm(server, channel)
        call = begin(channel, b"{}")
        await replies(peer, b"seen")  # so the loop has had time for this thread, and for others
        assert await call == [b"OK", b"seen"]
    assert outcomes == ["succeeded"]


@awaited
async def test_reply_that_comes_too_late_to_be_looked_for(outcomes: list[str]) -> None:
    with listening() as server, connected(server.address, budget=1e-9) as channel:
        peer = await warm(server, channel)
        call = begin(channel, b"{}")
        await comes_true(lambda: outcomes == ["failed"])
        await replies(peer, b"late")
        assert await call == [b"OK", b"late"]


@awaited
async def test_call_is_cancelled_while_its_reply_is_looked_for(outcomes: list[str]) -> None:
    with listening() as server, connected(server.address, budget=AMPLE) as channel:
        await warm(server, channel)
        call = begin(channel, b"{}")
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert_idle(channel)
    assert outcomes == []


@awaited
async def test_nobody_looks_while_several_calls_wait(outcomes: list[str]) -> None:
    with listening() as server, connected(server.address, budget=1e-9) as channel:
        peer = await warm(server, channel)
        calls = [begin(channel, b"{}") for _ in range(3)]
        for _ in calls:
            await replies(peer)
        await asyncio.gather(*calls)
    assert outcomes == ["failed"]  # of the first alone
