"""The socket of one client of a server: what is sent to it, as fast as it reads, and its end."""

from __future__ import annotations

import abc
import asyncio
import socket
import time
from typing import Any

from pycom_core import logger
from pycom_plugins.transport_zmtp import places
from pycom_plugins.transport_zmtp.last_words import linger
from pycom_plugins.transport_zmtp.outbox import Outbox
from pycom_plugins.transport_zmtp.owner import Owner


class Link(abc.ABC):
    """Bytes to one client. It is used by one thread at a time.

    `is_over`: nothing is taken, run or sent any more; the socket may be open for a moment.
    """

    __slots__ = (
        "_all_sent",
        "_counted",
        "_enough",
        "_is_closed",
        "_is_writing",
        "_last_words",
        "_outbox",
        "_owner",
        "_progress",
        "_seen",
        "_socket",
        "_stall",
        "address",
        "is_over",
    )

    def __init__(self, owner: Owner[Any], accepted: socket.socket, address: str) -> None:
        self._owner = owner
        self._socket = accepted
        self.address = address
        self._outbox = Outbox(accepted)
        self._enough = owner.limits.queued // 2  # bytes
        self._counted = 0  # bytes of the outbox, as the owner knows them
        self._seen, self._progress = -1, 0.0  # bytes sent by the time when a slow client took some
        self._is_writing = self._is_closed = self.is_over = False
        self._all_sent: asyncio.Future[None] | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._last_words: asyncio.TimerHandle | None = None

    @abc.abstractmethod
    def has_read(self) -> None:
        """Go on with what had to wait while the client was slow."""

    @abc.abstractmethod
    def give_up(self) -> None:
        """Forget what the client has asked for: the connection is over."""

    # Sending.

    def say(self, buffer: bytes) -> None:
        """Send bytes of the protocol, if there are any."""
        if buffer:
            self._outbox.put([buffer])
            self.flush()

    def flush(self) -> None:
        """Send what the socket takes, and the rest when it takes more."""
        if self.is_over:
            return
        outbox = self._outbox
        was_slow = outbox.size > self._enough
        try:
            is_all = outbox.send()
        except OSError as error:
            self.end(places.reason(error))
            return
        if is_all is self._is_writing:
            self._is_writing = not is_all
            self._owner.on_loop(self._watch_writing)
        if outbox.size > self._enough:
            self._note_progress()
        elif was_slow:
            self.has_read()
        if outbox.size != self._counted:
            self._count(outbox.size)

    def _count(self, size: int) -> None:
        more, self._counted = size - self._counted, size
        self._owner.wait_for_clients(more)

    def _watch_writing(self) -> None:
        if self._is_closed or self._owner.loop.is_closed():
            return
        if self._is_writing:
            self._owner.loop.add_writer(self._socket, self.flush)
            return
        self._owner.loop.remove_writer(self._socket)
        self._nothing_waits()

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent."""
        return self._outbox.size

    def all_sent(self) -> asyncio.Future[None]:
        """A future that is done when nothing waits any more, or the connection has ended."""
        if self._all_sent is None:
            self._all_sent = self._owner.loop.create_future()
        return self._all_sent

    def _nothing_waits(self) -> None:
        if self._all_sent is not None:
            self._all_sent.set_result(None)
            self._all_sent = None

    # A client that reads slowly.

    @property
    def is_slow(self) -> bool:
        """True while so much waits for it that its requests have to wait, too."""
        return self._outbox.size > self._enough

    def _note_progress(self) -> None:
        if self._outbox.sent != self._seen:
            self._seen, self._progress = self._outbox.sent, time.monotonic()
        if self._stall is None:
            self._owner.on_loop(self._watch_stall)

    @property
    def _patience(self) -> float:
        """The s until it is to have taken something, if it takes nothing."""
        return self._progress + self._owner.limits.stalled - time.monotonic()

    def _watch_stall(self) -> None:
        if self._stall is None and not self.is_over and not self._owner.loop.is_closed():
            self._stall = self._owner.loop.call_later(self._patience, self._check_stall)

    def _check_stall(self) -> None:
        self._stall = None
        self.flush()  # it may have read while a method held the loop
        if self.is_slow and not self.is_over and self._patience <= 0:
            logger().info("%s does not read: its connection is closed", self.address)
            self.end()

    def makes_room(self) -> None:
        """End it: more waits for it than for any other, and too much for all together."""
        logger().warning(
            "%d bytes of replies wait for %s, and too many for all clients together: "
            "its connection is closed",
            *(self._outbox.size, self.address),
        )
        self.end()

    # The end.

    def part(self, reason: str = "") -> None:
        """End the connection after the last words, which the client has a moment to read."""
        self.flush()
        if not self.is_over:
            self._finish(reason)
            self._owner.on_loop(self._linger)

    def _linger(self) -> None:
        self._last_words = linger(self._owner.loop, self._socket, self._owner.room, self._close)

    def end(self, reason: str = "") -> None:
        """Close the connection. What it has sent and what was not begun is not run."""
        if not self.is_over:
            self._finish(reason)
        self._owner.on_loop(self._close)

    def _finish(self, reason: str) -> None:
        if reason:
            logger().debug("The connection of %s ends: %s", self.address, reason)
        self.is_over = True
        self._count(0)
        self._outbox = Outbox(self._socket)  # calls that still run hold this connection
        self.give_up()

    def _close(self) -> None:
        if self._is_closed:
            return
        self._owner.loop.remove_reader(self._socket)
        self._owner.loop.remove_writer(self._socket)
        places.pass_over_input(self._socket, self._owner.room)
        self.let_go()
        self._nothing_waits()
        self._owner.ended(self)

    @property
    def descriptor(self) -> int:
        """The descriptor of its socket."""
        return self._socket.fileno()

    def let_go(self) -> None:
        """Close the socket, and touch nothing else: the loop may be that of a parent."""
        self.is_over = self._is_closed = True
        for timer in (self._stall, self._last_words):
            if timer is not None:
                timer.cancel()
        places.forget(self._socket)
