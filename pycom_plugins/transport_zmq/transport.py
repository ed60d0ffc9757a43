"""The transport: its sockets and their options."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import zmq

from pycom_core import addresses
from pycom_core.errors import ConfigurationError
from pycom_core.transport import Channel, Handler, Transport
from pycom_plugins.transport_zmq import reach
from pycom_plugins.transport_zmq.channel import DealerChannel
from pycom_plugins.transport_zmq.listener import RouterListener
from pycom_plugins.transport_zmq.lookups import Lookups
from pycom_plugins.transport_zmq.sockets import HIGH_WATER_MARK, QuietContext, QuietSocket, reason

if TYPE_CHECKING:
    from pycom_plugins.transport_zmq.async_channel import AsyncDealerChannel

SocketHook = Callable[["zmq.Socket[bytes]", str, str], None]


class ZmqTransport(Transport):
    """0MQ: ROUTER sockets on the server's side, DEALER sockets on the client's."""

    schemes = ("tcp", "ipc", "inproc", "pgm", "epgm", "vmci", "ws", "wss")

    def __init__(self, max_message_size: int = -1, on_socket: SocketHook | None = None) -> None:
        self._max_message_size = max_message_size
        self._on_socket = on_socket
        self._contexts: dict[int, zmq.Context[zmq.Socket[bytes]]] = {}  # by process
        self._turns: dict[int, threading.RLock] = {}  # by process
        self._lookups = Lookups()

    def listen(self, address: str, handler: Handler) -> RouterListener:
        address = addresses.checked(address, listening=True)
        socket = self._socket(zmq.ROUTER, "server", address)
        socket.setsockopt(zmq.MAXMSGSIZE, self._max_message_size)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        listener = RouterListener(socket, handler, self._lookups)
        try:
            listener.also(address)
        except ConfigurationError:
            socket.context.destroy(linger=0)
            raise
        return listener

    def connect(self, address: str) -> DealerChannel:
        # A forked child has a lock of its own, too: its parent's may be held by another thread.
        turn = self._turns.setdefault(os.getpid(), threading.RLock())
        return DealerChannel(self.dealer(address), address, turn)

    def connect_async(self, address: str) -> AsyncDealerChannel:
        from pycom_plugins.transport_zmq.async_channel import AsyncDealerChannel

        address = addresses.checked(address)
        # The loop is not held up while a name is looked up.
        only_ipv6 = self._lookups.only_ipv6(address)
        known = only_ipv6.done()
        socket = self._dealer(address, known and only_ipv6.result())
        channel = AsyncDealerChannel(socket, address)
        if not known:
            only_ipv6.add_done_callback(channel.when_known)
        return channel

    def dealer(self, address: str) -> zmq.Socket[bytes]:
        """A DEALER socket that is connected to `address`. Raises `ConfigurationError`."""
        address = addresses.checked(address)
        return self._dealer(address, self._lookups.wait(address))

    def _dealer(self, address: str, ipv6: bool) -> zmq.Socket[bytes]:
        socket = self._socket(zmq.DEALER, "client", address)
        if ipv6:
            socket.setsockopt(zmq.IPV6, 1)
        # Nothing is queued for a peer that is not there: it would be run when nobody waits.
        socket.setsockopt(zmq.IMMEDIATE, 1)
        try:
            socket.connect(address)
        except zmq.ZMQError as error:
            socket.close(linger=0)
            raise ConfigurationError(f"Invalid address {address!r}: {reason(error)}") from error
        return socket

    def _socket(self, kind: int, side: str, address: str) -> zmq.Socket[bytes]:
        # A server has a context of its own: its end waits for the last replies, and for no others.
        context = QuietContext() if side == "server" else self._context_of_process()
        socket = context.socket(kind, QuietSocket)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
        # A peer that vanished without a word is noticed within a minute or so, not after hours.
        socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 30)
        socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 10)
        socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 3)
        if self._on_socket is not None:
            try:
                self._on_socket(socket, side, address)
            except BaseException:
                socket.close(linger=0)
                if side == "server":
                    context.term()
                raise
        return socket

    def _context_of_process(self) -> zmq.Context[zmq.Socket[bytes]]:
        # A 0MQ context does not survive a fork: the child leaves its parent's alone. Nor is a lock
        # free in the child that a thread of the parent holds, so each process has a key of its own,
        # and of what threads made at the same time the first is kept.
        pid = os.getpid()
        found = self._contexts.get(pid)
        if found is None:
            made = QuietContext()
            made.set(zmq.MAX_SOCKETS, 65_536)
            found = self._contexts.setdefault(pid, made)
            if found is not made:
                made.term()
        return found

    def obstacle(self, address: str, timeout: float) -> str | None:
        return reach.obstacle(address, timeout / 1000)

    def adopt(self, socket: Any) -> Channel | None:
        if not isinstance(socket, zmq.Socket):
            return None
        from pycom_plugins.transport_zmq.adopted import adopted

        return adopted(socket)

    def close(self) -> None:
        found = self._contexts.pop(os.getpid(), None)
        if found is not None:
            found.destroy(linger=0)
