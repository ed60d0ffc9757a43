"""The making of a connection, again and again, for as long as calls wait for it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Protocol

from pycom_plugins.transport_zmtp.dialing import dial
from pycom_plugins.transport_zmtp.engine import Connection, Ready
from pycom_plugins.transport_zmtp.lookups import Lookups
from pycom_plugins.transport_zmtp.unsent import Unsent

#: s after which connecting begins anew: the system tries ever more seldom.
_DIALING = 10.0


class Caller(Protocol):
    """The one who wants a connection."""

    def connected(self, made: socket.socket, connection: Connection, ready: Ready) -> None:
        """Use it."""

    def not_connected(self, error: Exception) -> None:
        """Fail the calls that wait for it."""


class Dialer:
    """Connects to one address for the calls that are unsent."""

    __slots__ = ("_address", "_anew", "_lookups", "_new_connection", "_task", "_unsent")

    def __init__(
        self, address: str, connection: Callable[[], Connection], lookups: Lookups, unsent: Unsent
    ) -> None:
        """`connection` makes the state of one connection."""
        self._address, self._new_connection = address, connection
        self._lookups, self._unsent = lookups, unsent
        self._task: asyncio.Task[None] | None = None
        self._anew: asyncio.TimerHandle | None = None

    @property
    def is_dialing(self) -> bool:
        """True while a connection is being made."""
        return self._task is not None

    def start(self, caller: Caller, loop: asyncio.AbstractEventLoop) -> None:
        """Connect for as long as one of the calls waits for it, but not for too long.

        Does nothing if a connection is being made already.
        """
        if self._task is None:
            left = self._unsent.deadline() - time.monotonic()
            seconds = max(0.0, min(left, _DIALING))
            self._task = loop.create_task(self._connect(caller, seconds))
            self._anew = loop.call_later(seconds, self._start_anew, caller, loop)

    def _start_anew(self, caller: Caller, loop: asyncio.AbstractEventLoop) -> None:
        self.stop()
        if self._unsent:
            self.start(caller, loop)

    def stop(self) -> None:
        """Make no connection."""
        if self._task is not None:
            self._task.cancel()
            self._ended()

    def _ended(self) -> None:
        self._task = None
        if self._anew is not None:
            self._anew.cancel()
            self._anew = None  # it would keep the loop alive

    async def _connect(self, caller: Caller, seconds: float) -> None:
        try:
            found = self._lookups.places(self._address)
            known = found.result() if found.done() else await asyncio.wrap_future(found)
            made, connection, ready = await dial(known, self._new_connection, seconds)
        except Exception as error:  # also that of a plugin, which knows the keys
            self._ended()
            caller.not_connected(error)
            return
        self._ended()
        caller.connected(made, connection, ready)
