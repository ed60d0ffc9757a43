"""One client of a server: what it asks for, and when that may run."""

from __future__ import annotations

import socket
import time
from functools import partial

from pycom_core import logger
from pycom_core.messages import Attachment, Delivery, Peer
from pycom_core.transport import ConnectedPeer
from pycom_plugins.transport_zmtp import places
from pycom_plugins.transport_zmtp.absence import Absence
from pycom_plugins.transport_zmtp.admission import introduced, refusal
from pycom_plugins.transport_zmtp.dialect import OURS, cancelled
from pycom_plugins.transport_zmtp.engine import (
    Connection,
    Event,
    OldPeer,
    ProtocolError,
    Ready,
    TooBig,
)
from pycom_plugins.transport_zmtp.gaps import MOMENT, Gaps
from pycom_plugins.transport_zmtp.inbox import Inbox
from pycom_plugins.transport_zmtp.link import Link
from pycom_plugins.transport_zmtp.owner import Owner
from pycom_plugins.transport_zmtp.silence import Silence

#: The return address of a message, before all those that it brought: it stays here.
_CONNECTION = b"connection"
#: Bytes, or messages, that are received after a gap before others have their turn.
_SHARE, _MESSAGES = 256 * 1024, 1000
#: s for which a call that was taken back keeps its place from those that wait: what comes right
#: behind may take them back, too.
_KEPT = 0.25
#: Requests that are given up before other callbacks of the loop have their turn.
_GIVEN_UP = 100
#: Characters of what a stranger sent that go into the log.
_SHOWN = 300


class Served(Link):
    """A connection that a client made: from its handshake on, its requests go into the inbox."""

    __slots__ = (
        "_absence",
        "_connection",
        "_gaps",
        "_handshake",
        "_is_missed",
        "_is_told",
        "_since",
        "has_turn",
        "inbox",
        "is_reading",
        "peer",
        "reads_all",
        "received",
        "silence",
    )

    def __init__(
        self, owner: Owner[Served], accepted: socket.socket, address: str, connection: Connection
    ) -> None:
        super().__init__(owner, accepted, address)
        self._connection = connection
        self._since = time.monotonic()
        self._gaps = Gaps(self._since)
        self.silence = Silence(accepted, connection, self._outbox)
        self._absence = Absence(accepted, connection)
        self.inbox = Inbox(owner.limits)
        self.peer: Peer | None = None
        self.received = 0  # bytes
        self.is_reading = self.reads_all = self.has_turn = False
        self._is_missed = self._is_told = False
        self._handshake = owner.loop.call_later(owner.limits.handshake, self._never_ready)
        self._outbox.put([connection.greeting()])
        self.flush()
        self.resume()

    def state(self) -> ConnectedPeer | None:
        """The client as it is now; None if it is not known yet, or not any more."""
        if self.peer is None or self.is_over:
            return None
        outbox, calls = self._outbox, len(self.inbox.running)
        return ConnectedPeer(
            *(self.address, self.peer.key, self._since, calls),
            *(self.received, outbox.sent, outbox.size),
        )

    # Receiving.

    def on_readable(self) -> None:
        """Receive, and let the owner answer."""
        if self.receive() and self.inbox:
            self._owner.arrived(self)

    def receive(self) -> bool:
        """Take what is there into the inbox. Tells whether requests may be there to run."""
        if not self._gaps.look(time.monotonic()):
            return self.is_reading and self._receive_once()
        return self._catch_up() and bool(self.inbox)

    def _catch_up(self) -> bool:
        """Receive what came in a gap; if it is much, a share of it. Tells whether that was all."""
        gaps = self._gaps
        most, many = self.received + _SHARE, gaps.taken + _MESSAGES
        while self.is_reading and self._receive_once():
            is_share = self.received >= most or gaps.taken >= many
            if is_share and self._has_more():
                return False  # the loop goes on with it in its next iteration
        self._absence.check(self)
        if gaps.catch_up(bool(self.inbox)):
            self._owner.on_loop(self._owner.loop.call_later, MOMENT, self._trust)
        self._pause_if_full(0)
        return True

    def _has_more(self) -> bool:
        return self.is_reading and places.has_input(self._socket)

    def _trust(self) -> None:
        self._gaps.trust()
        if self.inbox:
            self._owner.wait_for_turn(self)

    def look_again(self) -> None:
        """Receive what came while others had their turn, if that was long, or it is not all yet."""
        if self._gaps.is_gap(time.monotonic()):
            self.receive()

    def _receive_once(self) -> bool:
        """Receive once. Tells whether anything came."""
        if self.is_over:
            return False
        connection, gaps = self._connection, self._gaps
        target = connection.target()
        room = self._owner.room if target is None else target
        try:
            if gaps.since is None:
                count, arrived = self._socket.recv_into(room), gaps.looked
            else:
                count, arrived = self._owner.clock.receive(self._socket, room, gaps.since)
        except BlockingIOError:
            gaps.since = None
            return False
        except OSError as error:
            self.end(places.reason(error))
            return False
        if not count:
            self.end()
            return False
        self.received += count
        if count < len(room):
            gaps.since = None
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

    def _take(self, events: list[Event], arrived: float) -> None:
        is_plain = bool(events)
        self._gaps.taken += len(events)
        taken_back: set[bytes] = set()
        for event in events:
            if type(event) is list:
                correlation = cancelled(event)
                if correlation is None:
                    self._take_message(event, arrived)
                else:
                    self.inbox.take_back(correlation)
                    taken_back.add(correlation)
            else:
                is_plain = False
                self._on(event)
                if self.is_over:
                    return
        if taken_back:
            self._stop(taken_back)
        if not is_plain:  # the handshake goes on, or a PING came
            answer = self._connection.outgoing()
            if not self.is_slow:  # else all that waits for it is a sign of life, too
                self.say(answer)

    def _take_message(self, frames: list[Attachment], arrived: float) -> None:
        frames.insert(0, _CONNECTION)
        delivery = Delivery(frames, arrived, None, self.peer)
        delivery.reply = partial(self._reply, delivery)
        self.inbox.append(delivery)

    def _stop(self, taken_back: set[bytes]) -> None:
        stopped = self.inbox.stop(taken_back)
        if stopped and self.inbox:
            self._owner.on_loop(self._owner.loop.call_later, _KEPT, self._vacate, stopped)
        else:
            self.inbox.running -= stopped

    def _vacate(self, stopped: set[Delivery]) -> None:
        self.inbox.running -= stopped
        self.has_read()

    # Receiving for now, or not.

    def _pause_if_full(self, count: int) -> None:
        if self.inbox.is_full(count):
            self._gaps.leave()
            if self.is_reading:
                self.is_reading = False
                self._owner.on_loop(self._watch_reading)

    def resume(self) -> None:
        """Receive, or receive again if there is room for it."""
        if self.inbox.has_room() and not self.is_over:
            self.is_reading = True
            self._owner.on_loop(self._watch_reading)

    def _watch_reading(self) -> None:
        if self.is_over:
            return
        if self.is_reading:
            self._owner.loop.add_reader(self._socket, self.on_readable)
        else:
            self._owner.loop.remove_reader(self._socket)
            self._absence.watch(self, self._owner.loop)

    # The handshake, and what is no request.

    def _on(self, event: Event) -> None:
        if isinstance(event, Ready):
            self._admit(event)
        elif isinstance(event, TooBig):
            self._refuse(event)

    def _admit(self, ready: Ready) -> None:
        self._handshake.cancel()
        self.reads_all = OURS in ready.metadata
        self.peer = introduced(self.address, ready)
        why = refusal(self._owner.admit, self.peer)
        if why is not None:
            self.say(self._connection.error(why))
            self.part("access denied")

    def _never_ready(self) -> None:
        self.on_readable()  # it may have come while a method held the loop
        if self.peer is None and not self.is_over:
            logger().info("%s did not finish its handshake in time", self.address)
            self.end()

    def _refuse(self, message: TooBig) -> None:
        """Tell the sender of a message that is too big, and end the connection."""
        from pycom_plugins.transport_zmtp.refusal import reason, too_big

        why = reason(message)
        logger().info("%s sent a message that is too big: %s", self.address, why)
        reply = too_big(message, why)
        if reply:
            self._outbox.put(self._connection.encode(reply))
        self.part("its message is too big")

    def _fault(self, error: ProtocolError) -> None:
        level = logger().warning if isinstance(error, OldPeer) else logger().info
        level("%s: %.*s", self.address, _SHOWN, error.reason)
        self.say(self._connection.outgoing())
        self.part()

    # Replies.

    def _reply(self, delivery: Delivery, frames: list[Attachment]) -> None:
        delivery.reply = None  # which holds it
        self.inbox.running.discard(delivery)
        self._owner.reply(self, frames)
        if self.inbox:  # perhaps until now as many ran as may
            self._owner.wait_for_turn(self)

    def put(self, frames: list[Attachment]) -> None:
        """Let a message leave with the next `flush`."""
        if not self.is_over:
            del frames[0]
            self._outbox.put(self._connection.encode(frames))
        elif not self._is_missed:
            self._is_missed = True
            logger().info("Replies to %s were dropped: it is gone", self.address)

    # Turns.

    @property
    def has_to_wait(self) -> bool:
        """True while none of its requests may run."""
        # For each call: so without the properties that it is made of.
        inbox = self.inbox
        return (
            self._outbox.size > self._enough
            or len(inbox.running) >= inbox.most
            or self._gaps.is_in_doubt
        )

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

    def has_read(self) -> None:
        """Run requests again, which had to wait."""
        if self.inbox:
            self._owner.on_loop(self._owner.wait_for_turn, self)

    # A client that keeps silent.

    @property
    def has_to_speak(self) -> bool:
        """True while it must answer a PING, or send on.

        Our blocking clients read only in their calls; but they send what they have begun.
        """
        waits = not self.reads_all or self.inbox or self.inbox.running
        has_to = bool(waits) or self._connection.is_within_message
        return self.is_reading and not self.is_over and has_to

    def keeps_silent(self) -> None:
        """End it: it is not there any more."""
        logger().info(
            "%s keeps silent: its connection is closed, its %d calls in progress are cancelled",
            *(self.address, len(self.inbox.running)),
        )
        self.end()

    # The end.

    def give_up(self) -> None:
        """Forget its requests. Those that run are given up, a few at a time."""
        self.inbox.drop()
        loop = self._owner.loop
        if self.inbox.give_up(_GIVEN_UP if loop.is_running() else len(self.inbox.running)):
            self._owner.on_loop(loop.call_soon, self.give_up)

    def let_go(self) -> None:
        """Close the socket, and touch nothing else: the loop may be that of a parent."""
        super().let_go()
        self.is_reading = False
        self._handshake.cancel()
        self._absence.stop()
        self.silence = Silence(self._socket, self._connection, self._outbox)  # which is empty
        self.inbox.drop()
