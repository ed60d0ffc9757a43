"""Peers that keep silent: their host is gone, their process is stopped, or the way to it is lost.

Who lets nothing be heard for some time is sent a PING (RFC 37), and must answer in the same time.
Passes over all connections look after that: so there is one timer, however many there are. The
passes are counted, not the seconds, as time in which this process was stopped is not the peer's.
Who has begun a message need not answer, but go on with it. Clients from which nothing is received
for now cannot: see `absence`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol
from weakref import WeakMethod

from pycom_plugins.transport_zmtp import places
from pycom_plugins.transport_zmtp.engine import Connection
from pycom_plugins.transport_zmtp.later import Later
from pycom_plugins.transport_zmtp.outbox import Outbox

#: Passes within the time of a heartbeat: so a PING leaves at most a quarter of it too late.
PASSES = 4


class Passes:
    """Calls a method on a loop, again and again until it returns False."""

    __slots__ = ("__weakref__", "_later", "_look", "_seconds")

    def __init__(self, heartbeat: float, look: Callable[[], bool]) -> None:
        """`heartbeat` is in s; 0: never."""
        self._seconds = heartbeat / PASSES
        self._look = WeakMethod(look)  # of the one that has these passes
        self._later = Later(self._pass)

    @property
    def is_started(self) -> bool:
        """True while there are passes to come."""
        return self._later.is_started

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin, if they have not begun yet."""
        if self._seconds:
            self._later.start(loop, self._seconds)

    def _pass(self) -> None:
        look = self._look()
        if look is not None and look():
            self.start(asyncio.get_running_loop())

    def stop(self) -> None:
        """End, until they are started again."""
        self._later.stop()


class Speaker(Protocol):
    """The end of a connection that is here, where the peer is listened to."""

    received: int  #: bytes that came from the peer

    @property
    def has_to_speak(self) -> bool:
        """True while the peer must answer a PING."""

    def say(self, buffer: bytes) -> None:
        """Send what the peer has to answer."""

    def on_readable(self) -> None:
        """Receive what is there."""

    def keeps_silent(self) -> None:
        """End the connection: the peer is not there."""


class Silence:
    """The silence on one connection, in passes."""

    __slots__ = ("_connection", "_outbox", "_passes", "_received", "_socket", "_taken")

    def __init__(self, connected: socket.socket, connection: Connection, outbox: Outbox) -> None:
        self._socket, self._connection, self._outbox = connected, connection, outbox
        self._passes = self._received = self._taken = 0

    def look(self, speaker: Speaker) -> None:
        """Send a PING if nothing came for long; end the connection if nothing comes again.

        To be called in each pass.
        """
        received = speaker.received
        if received != self._received:
            self._received, self._passes = received, 0
            return
        self._passes += 1
        if self._passes < PASSES:
            return
        if not speaker.has_to_speak:
            self._passes = 0
        elif self._passes == PASSES:
            self._ask(speaker)
        elif self._passes >= 2 * PASSES:
            self._look_again(speaker)

    def _ask(self, speaker: Speaker) -> None:
        ping = self._connection.ping(0)
        if not ping:  # before ZMTP 3.1: the system looks after it, see `places.tune`
            if not self._connection.is_within_message:
                self._passes = 0
            return
        self._taken, _ = self._progress()
        speaker.say(ping)

    def _look_again(self, speaker: Speaker) -> None:
        speaker.on_readable()  # an answer may have come while something held the loop
        is_news = speaker.received != self._received
        if not is_news and speaker.has_to_speak and not self._is_taking():
            speaker.keeps_silent()

    def _is_taking(self) -> bool:
        """Tell whether the peer takes what is sent to it: then it may not have come to the PING."""
        before = self._taken
        self._taken, rest = self._progress()
        if rest and self._taken > before:
            self._passes = PASSES
            return True
        return False

    def _progress(self) -> tuple[int, int]:
        """Bytes that the peer has taken, and bytes that it has not."""
        under_way = places.under_way(self._socket)
        return self._outbox.sent - under_way, self._outbox.size + under_way
