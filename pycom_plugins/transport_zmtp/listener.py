"""A server's sockets: clients are accepted, and served in turns."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import select
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from pycom_core import addresses, logger
from pycom_core.messages import Attachment, Peer
from pycom_core.transport import ConnectedPeer, Handler, Listener, StandIn
from pycom_plugins.transport_zmtp import clock, places
from pycom_plugins.transport_zmtp.engine import Connection, Storage
from pycom_plugins.transport_zmtp.limits import Limits
from pycom_plugins.transport_zmtp.polling import PUSHED_ASIDE, Polling, give_way
from pycom_plugins.transport_zmtp.served import Served
from pycom_plugins.transport_zmtp.silence import Passes

#: Bytes that are received at a time, where the room that they need is not known.
_ROOM = 65_536
#: Connections that are accepted, or looked at, before other callbacks of the loop have their turn.
_BURST = 64
#: s for which requests are run before other callbacks of the loop have their turn; so long a reply
#: may wait, to be sent together with others.
_HOLD = 0.0005
#: s for which one busy client may keep the loop to itself.
_ALONE = 0.001
#: s before clients are accepted again where the system had no descriptor left.
_EXHAUSTED = 0.1
#: s for the last replies to leave.
_PARTING = 1.0
#: s for programs behind libzmq to read them.
_READING = 0.1


class SocketListener(Listener):
    """Sockets that listen, and the connections that were made to them."""

    def __init__(
        self,
        handler: Handler,
        connection: Callable[[Storage], Connection],
        limits: Limits,
        admit: Callable[[Peer], None],
        budget: float,
    ) -> None:
        """`connection` makes the state of one connection; `budget` is that of polling, in s."""
        self.addresses: list[str] = []
        self.limits = limits
        self.room = memoryview(bytearray(_ROOM))
        self.clock = clock.Clock()
        self.admit = admit
        self._handler = handler
        self._new_connection = partial(connection, Storage())
        self._polling = Polling(budget)
        self._passes = Passes(limits.heartbeat, self._look_after_silent)
        self._sockets: list[socket.socket] = []
        self._connections: dict[Served, str] = {}  # and their hosts
        self._by_host: Counter[str] = Counter()
        self._unsent = 0  # bytes that wait for all of them
        self._refused: set[str] = set()  # hosts of which it was said
        self._turns: deque[Served] = deque()
        self._replies: deque[tuple[Served, list[Attachment]]] = deque()
        self._unflushed: set[Served] = set()
        # The loop has it, but for the time that a method runs: then the stand-in may take it.
        self._baton = threading.Lock()
        self._baton.acquire()
        self._watcher = StandIn(self.stand_in)
        self._latest: Served | None = None
        self._is_serving = self._is_scheduled = self._is_standing_in = self._is_full = (
            self._is_left
        ) = False

    def also(self, address: str) -> None:
        made, bound = places.bound(addresses.checked(address, listening=True))
        clock.watch(made)
        self._sockets.append(made)
        self.addresses.append(addresses.absolute(bound))

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        for listening in self._sockets:
            loop.add_reader(listening, self._accept, listening)
        loop.call_soon_threadsafe(lambda: None)  # it may be asleep
        self._watcher.start()

    @property
    def peers(self) -> list[ConnectedPeer]:
        found = (served.state() for served in [*self._connections])
        return [peer for peer in found if peer is not None]

    # Connections.

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_BURST):
            try:
                accepted, where = places.accept(listening)
                places.tune(accepted, self.limits.heartbeat or Limits().heartbeat)
            except BlockingIOError:
                self._is_full = False
                return
            except ConnectionError:  # it has gone already
                continue
            except OSError as error:
                self._cannot_accept(listening, error)
                return
            self._take_in(accepted, where)

    def _take_in(self, accepted: socket.socket, where: Any) -> None:
        host = places.host(where)
        if self._is_too_many(host):
            accepted.close()
            return
        served = Served(self, accepted, places.shown(where), self._new_connection())
        if not served.is_over:
            self._connections[served] = host
            self._by_host[host] += 1
            self._passes.start(self.loop)

    def _is_too_many(self, host: str) -> bool:
        by_host = self._by_host[host] if host else 0
        if (
            len(self._connections) < self.limits.connections
            and by_host < self.limits.connections_by_address
        ):
            self._refused.discard(host)
            return False
        if host not in self._refused and len(self._refused) < _BURST:
            self._refused.add(host)
            logger().warning(
                "Connections of %s are refused: it has %d, all together %d",
                *(host or "this host", self._by_host[host], len(self._connections)),
            )
        return True

    def _cannot_accept(self, listening: socket.socket, error: OSError) -> None:
        if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            logger().warning("A connection could not be accepted: %s", error)
            return
        if not self._is_full:
            self._is_full = True
            logger().error(
                "No more connections can be accepted: %s. Raise the limit (ulimit -n)",
                error.strerror,
            )
        self.loop.remove_reader(listening)
        self.loop.call_later(_EXHAUSTED, self._accept_again, listening)

    def _accept_again(self, listening: socket.socket) -> None:
        if listening in self._sockets:
            self.loop.add_reader(listening, self._accept, listening)

    def ended(self, served: Served) -> None:
        host = self._connections.pop(served, None)
        if host is not None:
            self._by_host[host] -= 1
            if not self._by_host[host]:
                del self._by_host[host]

    def _look_after_silent(self) -> bool:
        self._look_at(iter([*self._connections]))
        return bool(self._connections)

    def _look_at(self, rest: Iterator[Served]) -> None:
        """Look at some, and at the others when other callbacks of the loop have had their turn."""
        some = [*islice(rest, _BURST)]
        for served in some:
            served.silence.look(served)
        if some:
            self.loop.call_soon(self._look_at, rest)

    # Requests, in turns.

    def arrived(self, served: Served) -> None:
        if self._turns or len(served.inbox) > 1 or served.has_to_wait:
            self.wait_for_turn(served)
            return
        is_alone, self._latest = served is self._latest, served
        self._run_next(served)
        if self._send_replies() and is_alone and self._polling.wanted():
            self._serve_alone(served)

    def _serve_alone(self, served: Served) -> None:
        """Look for the next request of the one client that is busy, for as long as it is quick."""
        begun = last = time.monotonic()
        end = last + self._polling.budget
        while True:
            if served.receive():
                if len(served.inbox) != 1 or served.has_to_wait:
                    break
                self._polling.succeeded()
                self._run_next(served)
                last = time.monotonic()
                end = last + self._polling.budget
                if not self._send_replies() or last - begun > _ALONE:
                    break
                continue
            give_way()
            now = time.monotonic()
            if served.is_over:
                break
            if now >= end or now - last > PUSHED_ASIDE:
                self._polling.failed(pushed_aside=now < end)
                break
            last = now
        if served.inbox:
            self.wait_for_turn(served)

    def _run_next(self, served: Served) -> None:
        delivery = served.inbox.begin()
        if not served.is_reading:
            served.resume()
        self._watcher.busy()
        self._is_serving = True
        self._baton.release()
        try:
            self._handler.accept(delivery)
        finally:
            self._baton.acquire()
            self._is_serving = False
            self._watcher.free()

    def wait_for_turn(self, served: Served) -> None:
        if not served.has_turn:
            served.has_turn = True
            self._turns.append(served)
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self.loop.call_soon(self._take_turns)

    def _take_turns(self) -> None:
        """Run one request of each connection, then the next of each, for a moment."""
        turns, end = self._turns, time.monotonic() + _HOLD
        try:
            while turns:
                served = turns.popleft()
                served.has_turn = False
                served.look_again()
                # Who has to wait, and what may be taken back, comes back by itself.
                if not served.may_run():
                    continue
                if len(served.inbox) > 1:
                    self.wait_for_turn(served)
                self._run_next(served)
                self._put_replies()
                if time.monotonic() > end:
                    break
        finally:
            self._is_scheduled = False
            if turns:
                self._schedule()
        self._send_replies()

    # Replies.

    def reply(self, served: Served, frames: list[Attachment]) -> None:
        """Send a reply, together with others that are ready."""
        if not self._replies and not self._is_serving:
            self.loop.call_soon(self._send_replies)
        self._replies.append((served, frames))

    def _put_replies(self) -> None:
        """Give the replies to their connections, which know then how much waits."""
        if self._is_left:  # a method forked this process, and it goes on with its parent's work
            logger().error(
                "A child that a method forked came back from it; it has to end by os._exit"
            )
            os._exit(1)
        while self._replies:
            served, frames = self._replies.popleft()
            served.put(frames)
            self._unflushed.add(served)

    def _send_replies(self) -> bool:
        """Send what is ready; tells whether anything was."""
        self._put_replies()
        if not self._unflushed:
            return False
        for served in self._unflushed:
            served.flush()
        self._unflushed.clear()
        return True

    def wait_for_clients(self, more: int) -> None:
        self._unsent += more
        while more > 0 and self._unsent > self.limits.queued_in_all:
            there = (served for served in self._connections if not served.is_over)
            most = max(there, key=lambda served: served.unsent, default=None)
            if most is None:
                break
            most.makes_room()

    # While a method holds the loop.

    def stand_in(self) -> None:
        """Receive, and send what is ready, in the thread of the stand-in."""
        if not self._baton.acquire(blocking=False):
            return
        self._is_standing_in = True
        try:
            self._send_replies()
            news = select.poll()
            by_descriptor = {}
            for served in self._connections:
                if served.is_reading and served.peer is not None:  # plugins admit on the loop
                    by_descriptor[served.descriptor] = served
                    news.register(served.descriptor, select.POLLIN)
            found = [by_descriptor[descriptor] for descriptor, _ in news.poll(0)]
            for served in found:
                served.receive()
        finally:
            self._is_standing_in = False
            self._baton.release()
        with contextlib.suppress(RuntimeError):  # the loop has just ended
            self.loop.call_soon_threadsafe(self._go_on, found)

    def _go_on(self, received: list[Served]) -> None:
        for served in received:
            if served.inbox:
                self.wait_for_turn(served)

    def on_loop(self, do: Callable[..., object], *arguments: object) -> None:
        """Do something with the loop: now, or from the stand-in's thread soon."""
        if self._is_standing_in:
            self.loop.call_soon_threadsafe(do, *arguments)
        else:
            do(*arguments)

    # The end.

    async def flush(self) -> None:
        self._send_replies()
        unsent = [
            served.all_sent()
            for served in self._connections
            if served.unsent and not served.is_over
        ]
        if unsent:
            await asyncio.wait(unsent, timeout=_PARTING)
        if not all(served.reads_all for served in self._connections):
            # libzmq drops what its program has not read yet when the connection ends.
            await asyncio.sleep(_READING)

    def leave_to_parent(self) -> None:
        # The loop's selector is shared with the parent: nothing is taken out of it.
        for listening in self._sockets:
            places.forget(listening)
        for served in self._connections:
            served.let_go()
        self._passes.stop()
        self._is_left = True

    def close(self) -> None:
        self._watcher.stop()
        loop = getattr(self, "loop", None)
        is_open = loop is not None and not loop.is_closed()
        for listening in self._sockets:
            if is_open:
                self.loop.remove_reader(listening)
            places.unbind(listening)
        self._sockets = []
        self._send_replies()
        self._send_rest()
        for served in list(self._connections):
            served.end("the server closes")

    def _send_rest(self) -> None:
        """Send what waits while the loop may not be there for it."""
        end = time.monotonic() + _PARTING
        while time.monotonic() < end:
            unsent = {
                served.descriptor: served
                for served in self._connections
                if served.unsent and not served.is_over
            }
            if not unsent:
                break
            news = select.poll()
            for descriptor in unsent:
                news.register(descriptor, select.POLLOUT)
            for descriptor, _ in news.poll(1000 * (end - time.monotonic())):
                unsent[descriptor].flush()
