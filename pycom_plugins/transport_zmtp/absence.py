"""Clients from which nothing is received for now: whether they are still there.

They have sent more than may wait, or more than may run. Their silence says nothing, as an answer to
a PING would not be read; so `silence` leaves them out. But the end of their connection shows in the
socket, at once or when something is sent. And what is sent tells them that the server is there,
which answers no PING of theirs meanwhile. Both have to be soon, whatever the heartbeat is: so each
of these few clients has a timer of its own.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol

from pycom_plugins.transport_zmtp import places
from pycom_plugins.transport_zmtp.engine import Connection

#: s between two looks.
_AWAY = 1.0


class Away(Protocol):
    """The end of a connection that is here, where the peer may not be listened to."""

    is_reading: bool  #: what it sends is received
    is_over: bool

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent."""

    def say(self, buffer: bytes) -> None:
        """Send bytes of the protocol."""

    def end(self, reason: str = "") -> None:
        """Close the connection."""


class Absence:
    """The looks at one client while nothing is received from it."""

    __slots__ = ("_connection", "_socket", "_timer")

    def __init__(self, connected: socket.socket, connection: Connection) -> None:
        self._socket, self._connection = connected, connection
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, client: Away, loop: asyncio.AbstractEventLoop) -> None:
        """Look again and again, until the client is received from, or its connection is over."""
        if self._timer is None:
            self._timer = loop.call_later(_AWAY, self._look, client, loop)

    def _look(self, client: Away, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        self.check(client)
        if client.is_reading or client.is_over:
            return
        # If the client has closed the connection while there was no room for all that it had
        # sent, its end never comes. But to what is sent to it, its system answers with a reset
        # (RFC 1122, 4.2.2.13).
        if not client.unsent:
            client.say(self._connection.ping(0))
        self.watch(client, loop)

    def check(self, client: Away) -> None:
        """End the connection of a client that has gone, if nothing is received from it."""
        is_read = client.is_reading or client.is_over
        if not is_read and places.is_hung_up(self._socket):
            client.end("it has gone")

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
