"""A connection for one call at a time: the blocking side of clients."""

from __future__ import annotations

import concurrent.futures
import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from pycom_core import timeouts
from pycom_core.errors import CallTimeout, ServiceNotAvailable
from pycom_core.messages import Attachment
from pycom_core.transport import Channel
from pycom_plugins.transport_zmtp import places
from pycom_plugins.transport_zmtp.engine import Connection, Event, ProtocolError, Storage, TooBig
from pycom_plugins.transport_zmtp.lookups import Lookups
from pycom_plugins.transport_zmtp.polling import PUSHED_ASIDE, Polling, give_way

#: Bytes that are received at a time, where the room that they need is not known.
_ROOM = 65_536
#: s without a call after which a connection is looked at before it is used.
_FRESH = 0.001
#: Bytes of a request after which it is looked at in any case.
_LARGE = 4096
NO_REPLY = "it answered with what is no reply"
#: s between two looks whether a call was aborted, while the system looks up a name.
_GLANCE = 0.1
#: Times that a look at a connection between calls may find something.
_NOTES = 16

Message = list[Attachment]


class _Late(TimeoutError):
    """The time of the call is up. The system has a TimeoutError for connections, too."""


class BlockingChannel(Channel):
    """A connection to an address, made at the first call, and again where it has ended since.

    A call that fails ends the connection, so a message is always the reply to the last request.
    """

    def __init__(
        self,
        address: str,
        connection: Callable[[Storage], Connection],
        lookups: Lookups,
        budget: float,
    ) -> None:
        """`connection` makes the state of one connection; `budget` is that of polling, in s."""
        self._address = address
        self._new_connection = partial(connection, Storage())
        self._lookups = lookups
        self._polling = Polling(budget)
        self._socket: socket.socket | None = None
        self._room = memoryview(bytearray(_ROOM))
        self._used = 0.0
        self._is_aborted = False
        #: Held to close or to shut down the socket: its number may be another's once it is closed.
        self._ending = threading.Lock()

    def exchange(self, payload: Sequence[Attachment], timeout: float) -> Message:
        now = time.monotonic()
        deadline = now + timeout / 1000
        is_sent = False
        try:
            if self._socket is None or (now - self._used > _FRESH and not self.is_alive()):
                self._connect(deadline)
            refusal = self._request(payload, deadline)
            # Before that the peer has at most a part of it, which is never run.
            is_sent = True
            reply = refusal or self._reply(deadline)
            if len(reply) < 3 or reply[0] != b"":
                raise ProtocolError(NO_REPLY)
        except _Late as late:
            self._give_up()
            raise self._late(timeout, is_sent, late) from None
        except (OSError, ProtocolError) as error:
            self.close()
            raise ServiceNotAvailable(
                f"{self._address}: {places.reason(error)}", sent=is_sent
            ) from error
        except BaseException:
            self._give_up()
            raise
        if refusal is not None:
            self.close()
        # Where a large request is refused the connection ends right after the reply.
        self._used = 0.0 if sum(map(len, payload)) > _LARGE else time.monotonic()
        return reply[1:]

    def _late(self, timeout: float, is_sent: bool, late: _Late) -> CallTimeout:
        state = "" if is_sent else f": {str(late) or 'the connection was not ready in time'}"
        problem = f"No answer from {self._address} within {timeout:.0f} ms{state}"
        return CallTimeout(problem, sent=is_sent)

    def is_alive(self) -> bool:
        if self._socket is None:
            return False
        if time.monotonic() - self._used < _FRESH:
            return True
        messages: list[Message] = []
        try:
            for _ in range(_NOTES):
                if not self._take(messages):
                    return True
                if messages:  # nobody asked for it
                    return False
                self._answer(time.monotonic())
        except (OSError, ProtocolError):
            pass
        return False

    def abort(self) -> None:
        with self._ending:
            self._is_aborted = True
            if self._socket is not None:
                # Whoever waits for it wakes up.
                with contextlib.suppress(OSError):  # it is not connected
                    self._socket.shutdown(socket.SHUT_RDWR)

    def _check_aborted(self) -> None:
        if self._is_aborted:
            raise ConnectionAbortedError("the call was aborted")

    def close(self) -> None:
        self._end(places.reset if self._is_aborted else socket.socket.close)

    def _give_up(self) -> None:
        """End the connection; a request that has not reached the server yet never does."""
        self._end(places.reset)

    def _end(self, end: Callable[[socket.socket], None]) -> None:
        with self._ending:
            if self._socket is not None:
                end(self._socket)
                self._socket = None

    # Connecting.

    def _connect(self, deadline: float) -> None:
        """Connect to the first place that takes it, and shake hands.

        Raises OSError, `ProtocolError`.
        """
        self.close()
        found = self._places(deadline)
        failure: Exception = ConnectionError("it has no address")
        for left, place in zip(range(len(found), 0, -1), found, strict=True):
            now = time.monotonic()
            share = now + (deadline - now) / left if left > 1 else deadline
            try:
                self._connect_to(place, share)
                self._shake_hands(share)
                return
            except (OSError, ProtocolError) as error:
                self.close()
                failure = error
        raise failure

    def _places(self, deadline: float) -> Sequence[places.Place]:
        found = self._lookups.places(self._address)
        while not found.done():
            self._check_aborted()
            left = deadline - time.monotonic()
            if left <= 0:
                raise _Late("its host name was not looked up in time")
            concurrent.futures.wait([found], min(left, _GLANCE))
        return found.result()

    def _connect_to(self, place: places.Place, deadline: float) -> None:
        self._socket = made = place.socket()
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(made, select.POLLIN)
        self._writable.register(made, select.POLLOUT)
        while True:
            self._check_aborted()
            try:
                made.connect(place.where)
                break
            except BlockingIOError:
                if not place.is_of_host:
                    _wait(self._writable, deadline)
                    break
                if time.monotonic() + places.FULL > deadline:
                    raise _Late from None
                time.sleep(places.FULL)
        places.check_connected(made)
        places.tune(made)

    def _shake_hands(self, deadline: float) -> None:
        self._connection = self._new_connection()
        self._send([self._connection.greeting()], deadline)
        while not self._connection.ready:
            self._go_on([], deadline)

    # Sending and receiving.

    def _request(self, payload: Sequence[Attachment], deadline: float) -> Message | None:
        """Send a request whole. Returns the reply of a server that refused it before it was."""
        try:
            self._send(self._connection.encode((b"", *payload)), deadline)
        except (BrokenPipeError, ConnectionResetError):
            # It has ended the connection, but may have said why.
            replies: list[Message] = []
            with contextlib.suppress(OSError, ProtocolError):
                while not replies and self._take(replies):
                    pass
            if not replies:
                raise
            return replies[0]
        return None

    def _send(self, buffers: Sequence[Attachment], deadline: float) -> None:
        assert self._socket is not None
        for buffer in buffers:
            sent = 0
            while sent < len(buffer):
                try:
                    sent += self._socket.send(memoryview(buffer)[sent:] if sent else buffer)
                except BlockingIOError:
                    _wait(self._writable, deadline)

    def _answer(self, deadline: float) -> None:
        """Send what the handshake and PINGs want sent."""
        buffer = self._connection.outgoing()
        if buffer:
            self._send([buffer], deadline)

    def _reply(self, deadline: float) -> Message:
        messages: list[Message] = []
        if self._polling.wanted():
            self._look(messages, deadline)
        while not messages:
            self._go_on(messages, deadline)
        return messages[0]

    def _look(self, messages: list[Message], deadline: float) -> None:
        """Look for the reply again and again, for as long as polling may last."""
        last = time.monotonic()
        end = last + self._polling.budget
        while last < end:
            if self._take(messages):
                if messages:
                    self._polling.succeeded()
                    return
                self._answer(deadline)
            give_way()
            now = time.monotonic()
            if now - last > PUSHED_ASIDE:
                self._polling.failed(pushed_aside=True)
                return
            last = now
        self._polling.failed()

    def _go_on(self, messages: list[Message], deadline: float) -> None:
        """Wait for more, and receive it. Raises OSError, `ProtocolError`."""
        # Without a look first: what this is called for has just been asked for.
        _wait(self._readable, deadline)
        if self._take(messages) and not messages:
            self._answer(deadline)

    def _take(self, messages: list[Message]) -> bool:
        """Receive what is there; False if nothing is. Raises OSError, `ProtocolError`."""
        connection = self._connection
        target = connection.target()
        try:
            count = self._socket.recv_into(  # type: ignore[union-attr]
                self._room if target is None else target
            )
        except BlockingIOError:
            return False
        if not count:
            where = "" if connection.ready else " in its handshake"
            raise ConnectionResetError(f"the connection ended{where}")
        if target is None:
            events = connection.receive(self._room[:count])
        else:
            events = connection.filled(count)
        for event in events:
            if type(event) is list:
                messages.append(event)
            else:
                check(event)
        return True


def check(event: Event) -> None:
    """Raise OSError if a connection cannot go on after an event."""
    if isinstance(event, TooBig):
        raise ConnectionAbortedError(
            f"it sent a message of {event.size} bytes, which is more than this client takes"
        )


def _wait(news: select.poll, deadline: float) -> None:
    """Wait until the socket is ready. Raises TimeoutError past the deadline."""
    left = (deadline - time.monotonic()) * 1000
    if left <= 0 or not news.poll(min(left, timeouts.LONGEST)):
        raise _Late
