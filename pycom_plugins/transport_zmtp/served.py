"""One client of a server: its socket, the state of its connection, and what waits."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from pycom_core import AccessDenied, logger
from pycom_core.messages import Attachment, Delivery, Peer
from pycom_core.transport import ConnectedPeer
from pycom_plugins.transport_zmtp import places
from pycom_plugins.transport_zmtp.clock import Clock
from pycom_plugins.transport_zmtp.dialect import OURS, cancelled
from pycom_plugins.transport_zmtp.engine import (
    Connection,
    Event,
    OldPeer,
    ProtocolError,
    Ready,
    TooBig,
)
from pycom_plugins.transport_zmtp.inbox import Inbox
from pycom_plugins.transport_zmtp.limits import Limits
from pycom_plugins.transport_zmtp.outbox import Outbox
from pycom_plugins.transport_zmtp.silence import Silence

#: The return address of a message, before all those that it brought: it stays here.
_CONNECTION = b"connection"
#: s without a look at the socket, after which it matters what has come meanwhile, and when.
_GAP = 0.01
#: s of such a gap, and messages that came in it, after which the socket may have been full: what
#: takes the requests back waits at the client. s to wait for that, and times as many requests as
#: usual that are read meanwhile. (Some 280 small messages fill a Unix socket of Linux.)
_LONG_GAP, _MANY, _MOMENT, _ALL = 1.0, 100, 0.05, 10
#: s for a client to read why its connection ends.
_LAST_WORDS = 1.0
#: s between two looks at a client from which nothing is received for now.
_AWAY = 1.0
#: Requests that are given up before other callbacks of the loop have their turn.
_GIVEN_UP = 100
#: Characters of what a stranger sent that go into the log.
_SHOWN = 300


class Owner(Protocol):
    """The members of a listener that its connections need."""

    loop: asyncio.AbstractEventLoop
    limits: Limits
    room: memoryview
    clock: Clock

    def admit(self, peer: Peer) -> None:
        """Raise `AccessDenied` if a peer is not welcome."""

    def arrived(self, served: Served) -> None:
        """Answer what waits in the inbox of a connection."""

    def wait_for_turn(self, served: Served) -> None:
        """Answer it when others have had their turn."""

    def reply(self, served: Served, frames: list[Attachment]) -> None:
        """Let a connection send a reply, together with others that are ready."""

    def on_loop(self, do: Callable[..., object], *arguments: object) -> None:
        """Do something with the loop: now, or from another thread soon."""

    def ended(self, served: Served) -> None:
        """Forget a connection."""


class Served:
    """A connection that a client made. It is used by one thread at a time.

    `is_in_doubt`: its requests wait for what may take them back.
    `is_over`: nothing is taken, run or sent any more; the socket may be open for a moment.
    """

    __slots__ = (
        "_absence",
        "_all_sent",
        "_connection",
        "_enough",
        "_is_closed",
        "_is_missed",
        "_is_told",
        "_is_writing",
        "_looked",
        "_outbox",
        "_owner",
        "_silence",
        "_since",
        "_socket",
        "_stall",
        "_taken",
        "_timer",
        "_unread_since",
        "address",
        "has_turn",
        "inbox",
        "is_in_doubt",
        "is_over",
        "is_reading",
        "peer",
        "reads_all",
        "received",
    )

    def __init__(
        self, owner: Owner, accepted: socket.socket, address: str, connection: Connection
    ) -> None:
        self._owner = owner
        self._socket = accepted
        self._connection = connection
        self._outbox = Outbox(accepted)
        self._enough = owner.limits.queued // 2  # bytes
        self.is_reading = self._is_writing = self._is_closed = False
        self._is_missed = self._is_told = False
        self._since = self._looked = time.monotonic()
        self.address = address
        self.inbox = Inbox(owner.limits)
        #: When the socket was empty, while it may not be: nothing in it came before.
        self._unread_since: float | None = None
        self._taken = 0  # messages since the last gap
        self.peer: Peer | None = None
        self.reads_all = False
        self.received = 0  # bytes
        self._silence = Silence(accepted, connection, self._outbox)
        self.has_turn = False
        self.is_over = False
        self.is_in_doubt = False
        self._all_sent: asyncio.Future[None] | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._absence: asyncio.TimerHandle | None = None
        self._timer = owner.loop.call_later(owner.limits.handshake, self._never_ready)
        self._outbox.put([connection.greeting()])
        self.flush()
        self.resume()

    # Receiving.

    def on_readable(self) -> None:
        """Receive, and let the owner answer."""
        if self.receive() and self.inbox:
            self._owner.arrived(self)

    def receive(self) -> bool:
        """Take what is there into the inbox. Tells whether anything was."""
        last, self._looked = self._looked, time.monotonic()
        gap = self._looked - last
        if gap < _GAP:
            return self.is_reading and self._receive_once()
        # It may have waited: because a method held the loop, or because the process was stopped.
        # What cancels a request, or ends its connection, may have come meanwhile too.
        if self._unread_since is None:
            self._unread_since = last
        is_any, begins_doubt = False, gap > _LONG_GAP and not self.is_in_doubt
        self.is_in_doubt |= begins_doubt
        self._taken = 0
        while self.is_reading and self._receive_once():
            is_any = True
        if not self.is_reading and not self.is_over and places.is_hung_up(self._socket):
            self.end("it has gone")
        if begins_doubt:
            self._hold_back()
        return is_any

    def _hold_back(self) -> None:
        """Let requests wait a moment for what takes them back, where that may have had no room."""
        if self.inbox and self._taken > _MANY:
            self._owner.on_loop(self._owner.loop.call_later, _MOMENT, self._trust)
        else:
            self.is_in_doubt = False

    def _trust(self) -> None:
        self.is_in_doubt = False
        if self.inbox:
            self._owner.wait_for_turn(self)

    def look_again(self) -> None:
        """Receive what came while others had their turn, if that was long."""
        if time.monotonic() - self._looked > _GAP:
            self.receive()

    def _receive_once(self) -> bool:
        """Receive once. Tells whether anything came."""
        if self.is_over:
            return False
        connection = self._connection
        target = connection.target()
        room = self._owner.room if target is None else target
        since = self._unread_since
        try:
            if since is None:
                count, arrived = self._socket.recv_into(room), self._looked
            else:
                count, arrived = self._owner.clock.receive(self._socket, room, since)
        except BlockingIOError:
            self._unread_since = None
            return False
        except OSError as error:
            self.end(places.reason(error))
            return False
        if not count:
            self.end()
            return False
        self.received += count
        if count < len(room):
            self._unread_since = None
        try:
            if target is None:
                events = connection.receive(room[:count])
            else:
                events = connection.filled(count)
        except ProtocolError as error:
            self._fault(error)
            return False
        self._take(events, arrived)
        self._pause_if_full(count)
        return not self.is_over

    def _pause_if_full(self, count: int) -> None:
        if self.inbox.is_full(count, _ALL if self.is_in_doubt else 1):
            self.pause()
            if self._unread_since is None:
                self._unread_since = self._looked

    def _take(self, events: list[Event], arrived: float) -> None:
        is_plain = bool(events)
        self._taken += len(events)
        taken_back: set[bytes] = set()
        for event in events:
            if type(event) is list:
                correlation = cancelled(event)
                if correlation is not None:
                    taken_back.add(correlation)
                    continue
                if taken_back:
                    self.inbox.take_back(taken_back)
                    taken_back = set()
                self._take_message(event, arrived)
            else:
                is_plain = False
                self._on(event)
                if self.is_over:
                    return
        if taken_back:
            self.inbox.take_back(taken_back)
        if not is_plain:  # the handshake goes on, or a PING came
            self.say(self._connection.outgoing())

    def _take_message(self, frames: list[Attachment], arrived: float) -> None:
        frames.insert(0, _CONNECTION)
        delivery = Delivery(frames, arrived, None, self.peer)
        delivery.reply = partial(self._reply, delivery)
        self.inbox.append(delivery)

    def _on(self, event: Event) -> None:
        if isinstance(event, Ready):
            self._timer.cancel()
            self.reads_all = OURS in event.metadata
            self._admit(event)
        elif isinstance(event, TooBig):
            self._refuse(event)

    def _admit(self, ready: Ready) -> None:
        key = None if ready.key is None else ready.key.hex()
        metadata = {
            name: value.decode("utf-8", "backslashreplace")
            for name, value in ready.metadata.items()
        }
        self.peer = Peer(self.address, key, metadata)
        try:
            self._owner.admit(self.peer)
        except AccessDenied as error:
            self._deny(str(error))
        except Exception:
            logger().exception("%s is refused: a plugin failed", self.address)
            self._deny("Access denied")

    def _deny(self, why: str) -> None:
        self.say(self._connection.error(why))
        self._part("access denied")

    def _refuse(self, message: TooBig) -> None:
        """Tell the sender of a message that is too big, and end the connection."""
        from pycom_plugins.transport_zmtp.refusal import too_big

        logger().info("%s sent a message of %d bytes or more", self.address, message.size)
        reply = too_big(message)
        if reply:
            self._outbox.put(self._connection.encode(reply))
        self._part("its message is too big")

    def _fault(self, error: ProtocolError) -> None:
        level = logger().warning if isinstance(error, OldPeer) else logger().info
        level("%s: %.*s", self.address, _SHOWN, error.reason)
        self.say(self._connection.outgoing())
        self._part()

    def _never_ready(self) -> None:
        self.on_readable()  # it may have come while a method held the loop
        if self.peer is None and not self.is_over:
            logger().info("%s did not finish its handshake in time", self.address)
            self.end()

    def state(self) -> ConnectedPeer | None:
        """The client as it is now; None if it is not known yet, or not any more."""
        if self.peer is None or self.is_over:
            return None
        outbox, calls = self._outbox, len(self.inbox.running)
        return ConnectedPeer(
            *(self.address, self.peer.key, self._since, calls),
            *(self.received, outbox.sent, outbox.size),
        )

    # Sending.

    def _reply(self, delivery: Delivery, frames: list[Attachment]) -> None:
        delivery.reply = None  # which holds it
        self.inbox.running.discard(delivery)
        self._owner.reply(self, frames)
        if self.inbox:  # perhaps until now as many ran as may
            self._owner.wait_for_turn(self)

    def put(self, frames: list[Attachment]) -> None:
        """Let a message leave with the next `flush`."""
        if self._outbox.size > self._owner.limits.queued:
            self.flush()
            if self._outbox.size > self._owner.limits.queued:
                self._never_reads()
        if not self.is_over:
            del frames[0]
            self._outbox.put(self._connection.encode(frames))
        elif not self._is_missed:
            self._is_missed = True
            logger().info("Replies to %s were dropped: it is gone", self.address)

    def say(self, buffer: bytes) -> None:
        """Send bytes of the protocol, if there are any."""
        if buffer:
            self._outbox.put([buffer])
            self.flush()

    def flush(self) -> None:
        """Send what the socket takes, and the rest when it takes more."""
        if self.is_over:
            return
        was_slow = self.is_slow
        try:
            is_all = self._outbox.send()
        except OSError as error:
            self.end(places.reason(error))
            return
        if is_all is self._is_writing:
            self._is_writing = not is_all
            self._owner.on_loop(self._watch_writing)
        if self.is_slow:
            if self._stall is None:
                self._owner.on_loop(self._watch_stall)
        elif was_slow and self.inbox:  # its requests waited until it had read
            self._owner.on_loop(self._owner.wait_for_turn, self)

    def _watch_writing(self) -> None:
        if self._is_closed or self._owner.loop.is_closed():
            return
        if self._is_writing:
            self._owner.loop.add_writer(self._socket, self.flush)
            return
        self._owner.loop.remove_writer(self._socket)
        self._parted()

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent."""
        return self._outbox.size

    def all_sent(self) -> asyncio.Future[None]:
        """A future that is done when nothing waits any more, or the connection has ended."""
        if self._all_sent is None:
            self._all_sent = self._owner.loop.create_future()
        return self._all_sent

    # A client that reads slowly.

    @property
    def is_slow(self) -> bool:
        """True while so much waits for it that its requests have to wait, too."""
        return self._outbox.size > self._enough

    def _watch_stall(self) -> None:
        if self._stall is None and not self.is_over and not self._owner.loop.is_closed():
            self._stall = self._owner.loop.call_later(
                self._owner.limits.stalled, self._check_stall, self._outbox.sent
            )

    def _check_stall(self, sent: int) -> None:
        self._stall = None
        self.flush()  # it may have read while a method held the loop
        if self.is_slow and self._outbox.sent == sent:
            self._never_reads()

    def _never_reads(self) -> None:
        if not self.is_over:
            logger().info("%s does not read: its connection is closed", self.address)
            self.end()

    # Turns.

    @property
    def has_to_wait(self) -> bool:
        """True while none of its requests may run."""
        # For each call: so without the properties that it is made of.
        inbox = self.inbox
        return self._outbox.size > self._enough or len(inbox.running) >= inbox.most

    def may_run(self) -> bool:
        """Tell whether it has a request that may run now."""
        if self.is_slow:
            self.flush()
        if self.inbox and self.inbox.is_at_limit and not self._is_told:
            self._is_told = True
            logger().info(
                "%s has %d calls in progress: its further requests wait",
                *(self.address, len(self.inbox.running)),
            )
        return bool(self.inbox) and not self.has_to_wait

    def pause(self) -> None:
        """Receive nothing for now."""
        if self.is_reading:
            self.is_reading = False
            self._owner.on_loop(self._watch_reading)

    def resume(self) -> None:
        """Receive again."""
        if not self.is_reading and not self.is_over:
            self.is_reading = True
            self._owner.on_loop(self._watch_reading)

    def _watch_reading(self) -> None:
        if self._is_closed or self.is_over:
            return
        if self.is_reading:
            self._owner.loop.add_reader(self._socket, self.on_readable)
        else:
            self._owner.loop.remove_reader(self._socket)
            self._watch_absence()

    def _watch_absence(self) -> None:
        if self._absence is None:
            self._absence = self._owner.loop.call_later(_AWAY, self._check_absence)

    def _check_absence(self) -> None:
        """See whether a client is there from which nothing is received, and let it see the same.

        If it has closed the connection while there was no room for all that it had sent, its end
        never comes. But to what is sent to it, its system answers with a reset (RFC 1122,
        4.2.2.13).
        """
        self._absence = None
        if self.is_reading or self.is_over:
            return
        if places.is_hung_up(self._socket):
            self.end("it has gone")
            return
        if not self.unsent and self._owner.limits.heartbeat:
            self.say(self._connection.ping(0))
        self._watch_absence()

    # A client that keeps silent.

    def look_after_silence(self) -> None:
        """Ask it for a word if it is silent, and end it if it stays so; to be called in passes."""
        self._silence.look(self)

    @property
    def has_to_speak(self) -> bool:
        """True while it must answer a PING. Our blocking clients read only in their calls."""
        waits = not self.reads_all or self.inbox or self.inbox.running
        return self.is_reading and not self.is_over and bool(waits)

    def keeps_silent(self) -> None:
        """End it: it is not there any more."""
        logger().info(
            "%s keeps silent: its connection is closed, its %d calls in progress are cancelled",
            *(self.address, len(self.inbox.running)),
        )
        self.end()

    # The end.

    def _part(self, reason: str = "") -> None:
        """End the connection after the last words, which the client has a moment to read.

        To close it at once, with bytes of the client unread, would reset it, and the words could
        be lost (RFC 1122, 4.2.2.13).
        """
        self.flush()
        if not self.is_over:
            self._forget_requests(reason)
            self._owner.on_loop(self._linger)

    def _linger(self) -> None:
        loop = self._owner.loop
        self._timer.cancel()
        self._timer = loop.call_later(_LAST_WORDS, self._close)
        loop.remove_writer(self._socket)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        loop.add_reader(self._socket, self._pass_over)

    def _pass_over(self) -> None:
        try:
            if self._socket.recv_into(self._owner.room):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._close()

    def end(self, reason: str = "") -> None:
        """Close the connection. What it has sent and what was not begun is not run."""
        if not self.is_over:
            self._forget_requests(reason)
        self._owner.on_loop(self._close)

    def _forget_requests(self, reason: str) -> None:
        if reason:
            logger().debug("The connection of %s ends: %s", self.address, reason)
        self.is_over = True
        self.inbox.clear()
        self._give_up()

    def _give_up(self) -> None:
        """Give up the requests that run, a few at a time: nobody waits for them any more."""
        loop, count = self._owner.loop, 0
        while self.inbox.running:
            if count == _GIVEN_UP and loop.is_running():
                self._owner.on_loop(loop.call_soon, self._give_up)
                break
            self.inbox.running.pop().cancel()
            count += 1

    def _close(self) -> None:
        if self._is_closed:
            return
        self._owner.loop.remove_reader(self._socket)
        self._owner.loop.remove_writer(self._socket)
        places.pass_over_input(self._socket, self._owner.room)
        self.let_go()
        self._parted()
        self._owner.ended(self)

    def _parted(self) -> None:
        if self._all_sent is not None:
            self._all_sent.set_result(None)
            self._all_sent = None

    @property
    def descriptor(self) -> int:
        """The descriptor of its socket."""
        return self._socket.fileno()

    def let_go(self) -> None:
        """Close the socket, and touch nothing else: the loop may be that of a parent."""
        self.is_over = self._is_closed = True
        self.is_reading = False
        self._timer.cancel()
        for timer in (self._stall, self._absence):
            if timer is not None:
                timer.cancel()
        self.inbox.clear()
        places.forget(self._socket)
