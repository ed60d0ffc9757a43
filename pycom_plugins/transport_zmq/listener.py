"""A bound ROUTER: it hands requests to a server, and sends the replies."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque

import zmq

from pycom_core import addresses, logger
from pycom_core.errors import ConfigurationError
from pycom_core.messages import Attachment, Delivery
from pycom_core.transport import Handler, Listener, StandIn
from pycom_plugins.transport_zmq import forked
from pycom_plugins.transport_zmq.frames import NOBLOCK, receive_waiting, send_frames
from pycom_plugins.transport_zmq.lookups import Lookups
from pycom_plugins.transport_zmq.sockets import HIGH_WATER_MARK, reason

#: Messages that are received at one wake-up, before other callbacks of the loop have their turn.
BURST = 256
#: s that the reply of a quick method may wait, to be sent together with others.
HOLD = 0.0005
#: s for clients to receive the last replies: 0MQ may drop them if the connection ends first, and
#: does not tell when they have arrived.
PARTING = 0.1


class RouterListener(Listener):
    """A listener whose socket is used by one thread at a time, under a lock."""

    def __init__(self, socket: zmq.Socket[bytes], handler: Handler, lookups: Lookups) -> None:
        self.socket = socket
        self.addresses = []
        self._lookups = lookups
        self._ipv6 = socket.getsockopt(zmq.IPV6)  # a hook may want it
        self._handler = handler
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._backlog: deque[Delivery] = deque()
        self._replies: deque[list[Attachment]] = deque()
        self._sending = threading.Lock()
        self._reading = self._look_again = self._closed = False
        self._watcher = StandIn(self.stand_in)

    def also(self, address: str) -> None:
        address = addresses.checked(address, listening=True)
        self.socket.setsockopt(zmq.IPV6, self._ipv6 or self._lookups.wait(address))
        try:
            self.socket.bind(address)
        except zmq.ZMQError as error:
            raise ConfigurationError(f"Cannot listen on {address!r}: {reason(error)}") from error
        bound = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.addresses.append(addresses.absolute(bound))

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        loop.add_reader(self._descriptor, self._on_readable)
        loop.call_soon_threadsafe(self._on_readable)
        self._watcher.start()

    @property
    def _descriptor(self) -> int:
        return self.socket.getsockopt(zmq.FD)  # type: ignore[return-value]

    # Receiving.

    def _on_readable(self) -> None:
        if self._closed:
            return
        since = 0.0  # the first reply leaves at once
        self._reading = True
        try:
            for _ in range(BURST):
                delivery = self.receive()
                if delivery is not None:
                    self._watcher.busy()
                    self._handler.accept(delivery)
                    now = time.monotonic()
                    if now - since > HOLD:
                        self._send_replies()
                        since = now
                # The descriptor tells of changes only, and sending may swallow what it has to
                # tell: read until nothing waits, and again when something was sent.
                elif not self._send_replies():
                    self._watcher.free()
                    return
        finally:
            self._reading = False
        # Still busy: waiting messages came before this burst ended, and their time counts.
        self._send_replies()
        assert self._loop is not None
        self._loop.call_soon(self._on_readable)

    def receive(self) -> Delivery | None:
        """Return the next message that waits, or None."""
        if not self._backlog:
            with self._lock:
                # The stand-in may have received some while it had the lock.
                if not self._backlog:
                    frames = receive_waiting(self.socket)
                    if frames is None:
                        return None
                    return Delivery(frames, time.monotonic(), self._reply)
        return self._backlog.popleft()

    def stand_in(self) -> bool:
        """Receive waiting messages in the stand-in's thread, so that their arrival times are known.

        Sends the replies that are ready. True if a message waited.
        """
        self._send_replies()
        found = False
        with self._lock:
            while not self.socket.closed and len(self._backlog) < HIGH_WATER_MARK:
                frames = receive_waiting(self.socket)
                if frames is None:
                    break
                self._backlog.append(Delivery(frames, time.monotonic(), self._reply))
                found = True
        if found and self._loop is not None:
            # The loop may be free by now, without knowing of these messages.
            with contextlib.suppress(RuntimeError):  # it has just ended
                self._loop.call_soon_threadsafe(self._on_readable)
        return found

    # Sending.

    def _reply(self, frames: list[Attachment]) -> None:
        self._replies.append(frames)
        if not self._reading and not self._look_again:
            self._look_again = True
            assert self._loop is not None
            self._loop.call_soon(self._send_and_read)

    def _send_and_read(self) -> None:
        self._look_again = False
        self._on_readable()

    def _send_replies(self) -> bool:
        # They leave together, so that 0MQ's thread wakes up once for all of them.
        if not self._replies:
            return False
        with self._sending:  # the stand-in or the loop, so that neither overtakes the other
            while self._replies:
                if not self.send(self._replies.popleft()):
                    logger().info("A reply was dropped: its client is gone or does not read")
        return True

    def send(self, frames: list[Attachment]) -> bool:
        """Send a reply; False if its client is gone or takes no more."""
        with self._lock:
            try:
                send_frames(self.socket, frames, NOBLOCK)
            except zmq.ZMQError as error:
                if error.errno in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                    return False
                raise
        return True

    # The end.

    async def flush(self) -> None:
        self._send_replies()
        await asyncio.sleep(PARTING)

    def leave_to_parent(self) -> None:
        self._sending = threading.Lock()  # another thread may have had it
        forked.close_sockets_of(self.addresses)
        for method in ("receive", "send", "stand_in"):
            setattr(self, method, forked.come_back)

    def close(self) -> None:
        self._closed = True
        if self._loop is not None:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._descriptor)
            self._watcher.stop()
            self._send_replies()
        with self._lock:
            # Replies leave from where they lie in memory, which is gone when the process ends.
            self.socket.close(linger=1000)
            self.socket.context.destroy(linger=1000)
