"""A DEALER for any number of calls: replies find their callers by correlation ids."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import Future

import zmq

from pycom_core import timeouts
from pycom_core.errors import CallTimeout, ServiceNotAvailable
from pycom_core.messages import Attachment
from pycom_core.transport import AsyncChannel
from pycom_plugins.transport_zmq.frames import (
    NOBLOCK,
    POLLIN,
    POLLOUT,
    receive_frames,
    send_frames,
    socket_events,
)

Reply = list[Attachment]


class AsyncDealerChannel(AsyncChannel):
    """A connected DEALER on the running event loop, which ends with the loop at the latest."""

    def __init__(self, socket: zmq.Socket[bytes], address: str) -> None:
        self._socket = socket
        self._address = address
        loop = asyncio.get_running_loop()
        self._loop = weakref.ref(loop)
        self._thread = threading.get_ident()
        self._serial = 0
        self._pending: dict[bytes, asyncio.Future[Reply]] = {}
        self._unsent: dict[bytes, Sequence[Attachment]] = {}  # in the order of the calls
        self._look_again = False
        self._descriptor = int(socket.getsockopt(zmq.FD))
        loop.add_reader(self._descriptor, self._on_events)

    async def exchange(self, payload: Sequence[Attachment], timeout: float) -> Reply:
        self._serial += 1
        correlation = b"%x" % self._serial
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Reply] = loop.create_future()
        self._pending[correlation] = reply
        timer = None
        if not timeout > timeouts.LONGEST:
            timer = loop.call_later(timeout / 1000, self._expire, correlation, timeout)
        try:
            self._unsent[correlation] = payload
            if len(self._pending) == 1:
                self._send_waiting()
            elif len(self._unsent) == 1:
                # Together with those that others are about to make: 0MQ's thread wakes up once.
                loop.call_soon(self._send_waiting)
            return await reply
        finally:
            if timer is not None:
                timer.cancel()
            del self._pending[correlation]
            self._unsent.pop(correlation, None)

    def _send_waiting(self) -> None:
        # A socket without a connection takes nothing (IMMEDIATE): requests wait here, for as long
        # as somebody waits for their replies.
        if self._socket.closed:
            return
        for correlation, payload in list(self._unsent.items()):
            if self._pending[correlation].done():
                continue  # cancelled just now
            try:
                send_frames(self._socket, [correlation, b"", *payload], NOBLOCK)
            except zmq.Again:
                return
            except zmq.ZMQError as error:
                self._fail(f"{self._address}: {error.strerror}")
            del self._unsent[correlation]
        if not self._look_again:
            # Sending may have swallowed the descriptor's notice of replies.
            self._look_again = True
            asyncio.get_running_loop().call_soon(self._on_events)

    def _on_events(self) -> None:
        self._look_again = False
        socket, pending = self._socket, self._pending
        if socket.closed:
            return
        while socket_events(socket) & POLLIN:
            frames = receive_frames(socket, NOBLOCK)
            waiting = pending.get(bytes(frames[0]))
            if waiting is not None and not waiting.done() and len(frames) >= 4:
                waiting.set_result(frames[2:])
        if self._unsent:
            self._send_waiting()

    def _expire(self, correlation: bytes, timeout: float) -> None:
        reply = self._pending[correlation]
        if not reply.done():
            is_sent = self._unsent.pop(correlation, None) is None
            state = "" if is_sent else ": there is no connection"
            problem = f"No answer from {self._address} within {timeout:.0f} ms{state}"
            reply.set_exception(CallTimeout(problem, sent=is_sent))

    def _fail(self, problem: str) -> None:
        for correlation, reply in self._pending.items():
            if not reply.done():
                is_sent = correlation not in self._unsent
                reply.set_exception(ServiceNotAvailable(problem, sent=is_sent))

    def is_alive(self) -> bool:
        events = socket_events(self._socket)
        if not self._look_again and (events & POLLIN or self._unsent):
            # Looking has swallowed the descriptor's notice, as sending may.
            self._look_again = True
            asyncio.get_running_loop().call_soon(self._on_events)
        return bool(events & POLLOUT)

    def when_known(self, only_ipv6: Future[bool]) -> None:
        """Connect by IPv6 if the name of the host turns out to have no other address.

        In any thread, while the name is looked up in parallel with the first calls.
        """
        loop = self._loop()
        if loop is not None and only_ipv6.result():
            with contextlib.suppress(RuntimeError):  # it is closed
                loop.call_soon_threadsafe(self._connect_by_ipv6)

    def _connect_by_ipv6(self) -> None:
        if not self._socket.closed:
            self._socket.disconnect(self._address)
            self._socket.setsockopt(zmq.IPV6, 1)
            self._socket.connect(self._address)

    def is_open(self) -> bool:
        return not self._socket.closed

    def close(self) -> None:
        loop = self._loop()
        if loop is not None and not loop.is_closed() and self._thread != threading.get_ident():
            # Its socket may be in use there at this moment.
            with contextlib.suppress(RuntimeError):  # closed in between: nobody uses it now
                loop.call_soon_threadsafe(self._close)
                return
        self._close()

    def _close(self) -> None:
        loop = self._loop()
        if loop is not None and not loop.is_closed() and not self._socket.closed:
            loop.remove_reader(self._descriptor)
            self._fail(f"The connection to {self._address} was closed")
        self._socket.close(linger=0)
