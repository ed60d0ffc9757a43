"""Channels of the transport `zmtp` for many calls at a time, and servers that answer them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import helpers
from zmtp_peers import Wire
from zmtp_servers import Listening, answer

from pycom_plugins.transport_zmtp.async_channel import AsyncSocketChannel
from pycom_plugins.transport_zmtp.transport import ZmtpTransport

AMPLE = helpers.PATIENCE * 1000


@contextlib.contextmanager
def connected(address: str, **options: Any) -> Iterator[AsyncSocketChannel]:
    channel = ZmtpTransport(**options).connect_async(address)
    try:
        yield channel
    finally:
        channel.close()


def begin(channel: AsyncSocketChannel, *frames: bytes, timeout: float = AMPLE) -> asyncio.Task[Any]:
    return asyncio.ensure_future(channel.exchange([b"CALL", *frames], timeout))


def assert_idle(channel: AsyncSocketChannel) -> None:
    """No call holds a place."""
    assert channel._pending == {}
    assert channel._unsent == {}
    assert not channel._dialer.is_dialing


async def wire(server: Listening) -> Wire:
    """The next connection, after its handshake."""
    return await asyncio.to_thread(server.wire)


async def replies(wire: Wire, *frames: bytes) -> list[bytes]:
    """Answer a request; its frames."""
    return await asyncio.to_thread(answer, wire, *frames)


async def warm(server: Listening, channel: AsyncSocketChannel) -> Wire:
    """Connect, with a call: it is not looked for."""
    first = begin(channel, b"{}")
    peer = await wire(server)
    await replies(peer)
    await first
    return peer
