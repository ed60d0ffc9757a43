"""Peers that keep silent: their host is gone, their process is stopped, or the way to it is lost.

Who lets nothing be heard for some time is sent a PING (RFC 37), and must answer in the same time.
Passes over all connections look after that: so there is one timer, however many there are. The
passes are counted, not the seconds, as time in which this process was stopped is not the peer's.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from pycom_plugins.transport_zmtp import places
from pycom_plugins.transport_zmtp.outbox import Outbox

#: Passes within the time of a heartbeat: so a PING leaves at most a quarter of it too late.
PASSES = 4


class Passes:
    """Calls `look` on a loop, again and again until it returns False."""

    __slots__ = ("_look", "_seconds", "_timer")

    def __init__(self, heartbeat: float, look: Callable[[], bool]) -> None:
        """`heartbeat` is in s; 0: never."""
        self._seconds = heartbeat / PASSES
        self._look = look
        self._timer: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin, if they have not begun yet."""
        if self._timer is None and self._seconds:
            self._timer = loop.call_later(self._seconds, self._pass, loop)

    def _pass(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._look():
            self.start(loop)

    def stop(self) -> None:
        """End, until they are started again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Silence:
    """The silence of one peer, in passes."""

    __slots__ = ("_heard", "_passes", "_taken")

    def __init__(self) -> None:
        self._heard = self._taken = 0.0
        self._passes = 0

    def after(self, heard: float) -> int:
        """Number of passes since the last news. `heard` changes when there are some."""
        if heard != self._heard:
            self._heard, self._passes = heard, 0
        else:
            self._passes += 1
        return self._passes

    def forget(self) -> None:
        """Begin anew: until now the peer had no reason to speak."""
        self._passes = 0

    def ask(self, connected: socket.socket, outbox: Outbox) -> None:
        """Note how much the peer has taken, as it is asked for a word."""
        self._taken, _ = _progress(connected, outbox)

    def takes(self, connected: socket.socket, outbox: Outbox) -> bool:
        """Tell whether it takes what is sent to it: then it may not have come to the PING yet."""
        before = self._taken
        self._taken, rest = _progress(connected, outbox)
        if rest and self._taken > before:
            self._passes = PASSES
            return True
        return False


def _progress(connected: socket.socket, outbox: Outbox) -> tuple[int, int]:
    """Bytes that the peer has taken, and bytes that it has not."""
    under_way = places.under_way(connected)
    return outbox.sent - under_way, outbox.size + under_way
