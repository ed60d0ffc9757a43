"""Channels for many calls at a time, against servers that do as the test says."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket
import threading
import warnings
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import zmq
from awaited import RUNNERS, awaited, comes_true
from zmtp_channels import AMPLE, assert_idle, begin, connected, replies, warm, wire
from zmtp_peers import libzmq
from zmtp_servers import answer, doing, fails, is_reset, listening, reset

from pycom_plugins.transport_zmtp import polling
from pycom_plugins.transport_zmtp.async_channel import AsyncSocketChannel
from pycom_plugins.transport_zmtp.limits import Limits
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
async def test_request_that_left_in_parts_was_sent() -> None:
    with listening() as server, connected(server.address) as channel:
        call = begin(channel, bytes(BIG))
        first = await wire(server)
        await comes_true(lambda: channel._unsent.cut)
        await asyncio.to_thread(first.message)
        reset(server.accepted[0])
        with fails(sent=True, match="the connection ended|Connection reset"):
            await call


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
async def test_reply_is_heard_that_came_before_sending_failed() -> None:
    def answer_and_leave() -> None:  # while the second call waits for its turn
        peer.send(b"1", b"", b"OK", b"right")
        reset(server.accepted[0])

    with listening() as server, connected(server.address) as channel:
        first = begin(channel, b"first")
        peer = await wire(server)
        await asyncio.to_thread(peer.message)
        second = begin(channel, b"second")
        asyncio.get_running_loop().call_soon(answer_and_leave)
        assert await first == [b"OK", b"right"]
        assert (await replies(await wire(server)))[-1] == b"second"
        assert await second == [b"OK", b"second"]


@awaited
async def test_timeout_of_years() -> None:
    with listening() as server, connected(server.address) as channel:
        call = begin(channel, b"{}", timeout=1e14)
        await replies(await wire(server))
        assert await call == [b"OK", b"{}"]


@awaited
async def test_more_calls_at_a_time_than_the_system_takes_buffers() -> None:
    with listening() as server, connected(server.address) as channel:
        peer = await warm(server, channel)

        def answer_all() -> None:
            for _ in range(2000):
                answer(peer)

        with doing(answer_all):
            calls = [begin(channel, b"%d" % number) for number in range(2000)]
            replies = await asyncio.gather(*calls)
        assert replies == [[b"OK", b"%d" % number] for number in range(2000)]
        assert len(server.accepted) == 1


@awaited
async def test_answered_calls_leave_no_timer() -> None:
    # Without heartbeats, which have one.
    channel = ZmtpTransport(Limits(heartbeat=0)).connect_async
    with listening() as server, contextlib.closing(channel(server.address)) as opened:
        await warm(server, opened)
        loop: Any = asyncio.get_running_loop()
        assert not [handle for handle in loop._scheduled if not handle.cancelled()]


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
async def test_reply_that_waited_for_the_loop_is_in_time() -> None:
    failures: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    with listening() as server, connected(server.address) as channel:
        peer = await warm(server, channel)
        call = begin(channel, b"{}", timeout=500)
        await asyncio.sleep(0)  # it leaves
        answer(peer)
        threading.Event().wait(0.6)  # the loop is busy
        assert await call == [b"OK", b"{}"]
    assert failures == []


@awaited
async def test_second_reply_to_a_call_is_nobodys() -> None:
    failures: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    with listening() as server, connected(server.address) as channel:
        call = begin(channel)
        peer = await wire(server)
        await asyncio.to_thread(peer.message)
        reply = b"".join(peer.connection.encode([b"1", b"", b"OK", b"right"]))
        peer.send_bytes(reply * 2)
        assert await call == [b"OK", b"right"]
        again = begin(channel, b"again")
        await replies(peer)
        assert await again == [b"OK", b"again"]
    assert failures == []


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


@awaited
async def test_close_lets_the_system_forget_what_was_given_up_just_now() -> None:
    with listening() as server, connected(server.address) as channel:
        await warm(server, channel)
        with fails(sent=True, late=True):
            await channel.exchange([b"CALL"], 50)
        channel.close()
        assert await asyncio.to_thread(is_reset, server.accepted[0])


@awaited
async def test_close_lets_the_system_forget_calls_in_flight() -> None:
    with listening() as server, connected(server.address) as channel:
        call = begin(channel)
        first = await wire(server)
        await asyncio.to_thread(first.message)
        channel.close()
        with fails(sent=True, match="was closed"):
            await call
        assert await asyncio.to_thread(is_reset, server.accepted[0])


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


def test_channel_does_not_keep_its_loop(collect: Callable[[], object]) -> None:
    async def calls() -> Any:
        channel = ZmtpTransport().connect_async(server.address)
        await warm(server, channel)
        return channel, weakref.ref(asyncio.get_running_loop())

    with listening() as server:
        channel, loop = asyncio.run(calls())
        collect()
        assert loop() is None
        channel.close()


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
        note = lambda *_, name=name, **__: outcomes.append(name)  # noqa: E731
        monkeypatch.setattr(polling.Polling, name, note)
    return outcomes


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
async def test_who_is_pushed_aside_looks_no_more(
    outcomes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pycom_plugins.transport_zmtp.async_channel.PUSHED_ASIDE", -1.0)
    with listening() as server, connected(server.address, budget=AMPLE) as channel:
        peer = await warm(server, channel)
        call = begin(channel, b"{}")
        await comes_true(lambda: outcomes == ["failed"])
        await replies(peer, b"late")
        assert await call == [b"OK", b"late"]
    assert outcomes == ["failed"]


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
