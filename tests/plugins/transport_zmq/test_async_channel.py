"""Channels for many calls at a time."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import helpers
import pytest
import zmq.asyncio
from awaited import awaited, comes_true

from pycom_core import (
    CallTimeout,
    ServiceNotAvailable,
)
from pycom_plugins.transport_zmq.async_channel import AsyncDealerChannel
from pycom_plugins.transport_zmq.transport import ZmqTransport

IFACE = "com.foo.near"
AMPLE = helpers.PATIENCE * 1000
CALL = [b"CALL", b"{}"]


class Peer:
    """The other end of a channel: answers what and when the test says."""

    def __init__(self, socket: Any, address: str) -> None:
        self.socket, self.address = socket, address

    async def receive(self) -> list[bytes]:
        """The next request: identity, correlation id, delimiter and payload."""
        message: list[bytes] = await asyncio.wait_for(self.socket.recv_multipart(), 30)
        return message

    async def reply(self, message: list[bytes], *frames: bytes) -> None:
        """Answer a request."""
        await self.socket.send_multipart([*message[:2], b"", b"OK", *frames])


@contextlib.asynccontextmanager
async def peer() -> AsyncIterator[Peer]:
    with zmq.asyncio.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        yield Peer(socket, f"tcp://127.0.0.1:{port}")


@contextlib.asynccontextmanager
async def connected(address: str) -> AsyncIterator[AsyncDealerChannel]:
    transport = ZmqTransport()
    channel = transport.connect_async(address)
    assert isinstance(channel, AsyncDealerChannel)
    try:
        yield channel
    finally:
        channel.close()
        transport.close()


def begin(channel: Any, *frames: bytes, timeout: float = AMPLE) -> asyncio.Task[Any]:
    """Start a call."""
    return asyncio.ensure_future(channel.exchange([b"CALL", *frames], timeout))


def assert_idle(channel: AsyncDealerChannel) -> None:
    """No call holds a place."""
    assert channel._pending == {}
    assert channel._unsent == {}


async def assert_usable(channel: AsyncDealerChannel, other: Peer) -> None:
    """The next call gets its reply."""
    call = begin(channel, b"next")
    message = await other.receive()
    assert message[-1] == b"next", "nothing else is sent any more"
    await other.reply(message, b"fine")
    assert await call == [b"OK", b"fine"]
    assert_idle(channel)


async def nobody() -> str:
    """An address where nobody listens, until somebody binds it."""
    async with peer() as gone:
        return gone.address


# Over 0MQ.


@awaited
async def test_request_and_reply() -> None:
    async with peer() as other, connected(other.address) as channel:
        call = begin(channel, b"{}", b"attachment")
        _identity, _correlation, *request = message = await other.receive()
        assert request == [b"", b"CALL", b"{}", b"attachment"]
        await other.reply(message, b"{}", b"attached")
        assert [bytes(frame) for frame in await call] == [b"OK", b"{}", b"attached"]
        assert_idle(channel)


@awaited
async def test_timer_of_a_call_ends_with_it() -> None:
    loop: Any = asyncio.get_running_loop()
    async with peer() as other, connected(other.address) as channel:
        call = begin(channel)
        message = await other.receive()
        assert not all(timer.cancelled() for timer in loop._scheduled)
        await other.reply(message, b"{}")
        await call
        assert all(timer.cancelled() for timer in loop._scheduled)


@awaited
async def test_replies_out_of_order() -> None:
    async with peer() as other, connected(other.address) as channel:
        calls = [begin(channel, b"%d" % number) for number in range(50)]
        messages = [await other.receive() for _ in calls]
        assert [message[-1] for message in messages] == [b"%d" % number for number in range(50)]
        assert len({message[1] for message in messages}) == 50
        for message in reversed(messages):
            await other.reply(message, message[-1])
        assert [await call for call in calls] == [[b"OK", b"%d" % n] for n in range(50)]
        assert_idle(channel)


@awaited
async def test_late_reply_is_dropped() -> None:
    async with peer() as other, connected(other.address) as channel:
        late = begin(channel, b"late", timeout=10)
        message = await other.receive()
        with pytest.raises(CallTimeout, match=f"No answer from {other.address} within 10 ms$"):
            await late
        assert_idle(channel)
        await other.reply(message, b"late")
        await assert_usable(channel, other)


@awaited
async def test_all_calls_of_a_connection_that_is_closed_fail_apart() -> None:
    async with peer() as other, connected(other.address) as channel:
        calls = [begin(channel), begin(channel)]
        await other.receive()
        channel.close()
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert [str(error) for error in done] == [
            f"The connection to {other.address} was closed"
        ] * 2
        assert done[0] is not done[1], "whoever adds to one does not add to the other"


@awaited
async def test_cancelled_call_gives_up_its_place() -> None:
    async with peer() as other, connected(other.address) as channel:
        cancelled = begin(channel, b"cancelled")
        message = await other.receive()
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert_idle(channel)
        await other.reply(message, b"cancelled")
        await assert_usable(channel, other)


@awaited
async def test_call_that_is_cancelled_while_its_reply_is_there() -> None:
    async with peer() as other, connected(other.address) as channel:
        call = begin(channel)
        await other.reply(await other.receive(), b"{}")
        await comes_true(lambda: any(reply.done() for reply in channel._pending.values()))
        call.cancel()
        await asyncio.wait([call])
        await assert_usable(channel, other)


@awaited
async def test_reply_that_comes_twice() -> None:
    async with peer() as other, connected(other.address) as channel:
        first, second = begin(channel, b"first"), begin(channel, b"second")
        messages = [await other.receive(), await other.receive()]
        for answer in (b"1", b"again"):
            await other.reply(messages[0], answer)
        await other.reply(messages[1], b"2")
        assert [await first, await second] == [[b"OK", b"1"], [b"OK", b"2"]]
        await assert_usable(channel, other)


@awaited
async def test_what_is_no_reply_is_passed_over() -> None:
    async with peer() as other, connected(other.address) as channel:
        call = begin(channel, b"{}")
        identity, correlation, *_ = message = await other.receive()
        for frames in ([b""], [correlation], [correlation, b"", b"OK"], [b"zz", b"", b"OK", b"{}"]):
            await other.socket.send_multipart([identity, *frames])
        await other.reply(message, b"right")
        assert await call == [b"OK", b"right"]


@awaited
async def test_requests_wait_for_their_service() -> None:
    address = await nobody()
    async with connected(address) as channel:
        calls = [begin(channel, b"%d" % number) for number in range(3)]
        await asyncio.sleep(0)
        with zmq.asyncio.Context() as context, context.socket(zmq.ROUTER) as socket:
            socket.bind(address)
            other = Peer(socket, address)
            for number in range(3):
                message = await other.receive()
                assert message[-1] == b"%d" % number, "in the order of the calls"
                await other.reply(message, b"%d" % number)
            assert [await call for call in calls] == [[b"OK", b"%d" % n] for n in range(3)]
            assert_idle(channel)


@awaited
async def test_what_nobody_waits_for_is_not_sent() -> None:
    address = await nobody()
    async with connected(address) as channel:
        given_up, cancelled = begin(channel, b"given up", timeout=1), begin(channel, b"cancelled")
        with pytest.raises(CallTimeout):
            await given_up
        cancelled.cancel()
        await asyncio.wait([cancelled])
        assert_idle(channel)
        with zmq.asyncio.Context() as context, context.socket(zmq.ROUTER) as socket:
            socket.bind(address)
            await assert_usable(channel, Peer(socket, address))


@awaited
async def test_alive_while_the_connection_stands() -> None:
    address = await nobody()
    async with connected(address) as channel:
        assert not channel.is_alive()
        with zmq.asyncio.Context() as context, context.socket(zmq.ROUTER) as socket:
            socket.bind(address)
            await assert_usable(channel, Peer(socket, address))
            assert channel.is_alive()
        await comes_true(lambda: not channel.is_alive())


@awaited
async def test_close_fails_calls_in_flight() -> None:
    async with peer() as other, connected(other.address) as channel:
        calls = [begin(channel), begin(channel)]
        await other.receive()
        channel.close()
        for call in calls:
            with pytest.raises(ServiceNotAvailable, match=f"{other.address} was closed") as caught:
                await call
            assert not isinstance(caught.value, CallTimeout)
        assert_idle(channel)
        assert channel._socket.closed


@awaited
async def test_closed_while_the_next_requests_were_about_to_leave() -> None:
    async with peer() as other, connected(other.address) as channel:
        first, second = begin(channel), begin(channel)
        await asyncio.sleep(0)  # both have a place, and the second one waits for its turn
        assert len(channel._unsent) >= 1
        channel.close()
        results = await asyncio.gather(first, second, return_exceptions=True)
        assert [type(result) for result in results] == [ServiceNotAvailable] * 2


@awaited
async def test_broken_socket_fails_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise zmq.ZMQError(zmq.ENOTSOCK)

    async with peer() as other, connected(other.address) as channel:
        monkeypatch.setattr("pycom_plugins.transport_zmq.async_channel.send_frames", broken)
        with pytest.raises(ServiceNotAvailable, match=f"{other.address}: "):
            await channel.exchange(CALL, AMPLE)
        assert_idle(channel)


def test_closed_after_its_loop() -> None:
    """Tasks that the loop left behind do not keep the connection."""
    loop = asyncio.new_event_loop()
    transport = ZmqTransport()
    # That its task was destroyed is the loop's complaint, and right.
    loop.set_exception_handler(lambda _loop, _context: None)

    async def leave() -> tuple[Any, asyncio.Task[Any]]:
        channel = transport.connect_async(await nobody())
        call = begin(channel)
        await asyncio.sleep(0)
        return channel, call

    channel, call = loop.run_until_complete(leave())
    loop.close()
    channel.close()
    assert channel._socket.closed
    transport.close()
    call.get_coro().close()
    del call


@pytest.mark.parametrize("timeout", [math.inf, 1e300])
@awaited
async def test_as_long_as_it_takes(timeout: float) -> None:
    loop: Any = asyncio.get_running_loop()
    async with peer() as other, connected(other.address) as channel:
        call = begin(channel, timeout=timeout)
        message = await other.receive()
        assert all(timer.cancelled() for timer in loop._scheduled), "nothing waits for its end"
        await other.reply(message, b"{}")
        assert await call == [b"OK", b"{}"]


@awaited
async def test_looking_whether_it_is_alive_swallows_no_news(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/socket"
    with zmq.asyncio.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        async with connected(address) as channel:
            call = begin(channel, b"waits for the connection")
            for _ in range(5):  # whatever the loop has heard so far is done
                await asyncio.sleep(0)
            socket.bind(address)
            # 0MQ connects in a thread of its own, and the loop hears of it only afterwards.
            settled = time.monotonic() + 0.3
            helpers.until(lambda: channel.is_alive() and time.monotonic() > settled)
            other = Peer(socket, address)
            message = await other.receive()
            await other.reply(message, b"fine")
            assert await asyncio.wait_for(call, helpers.PATIENCE) == [b"OK", b"fine"]
