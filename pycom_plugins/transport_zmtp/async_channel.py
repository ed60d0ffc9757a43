"""A connection for any number of calls: replies find their callers by correlation ids."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from functools import partial

from pycom_core import timeouts
from pycom_core.errors import CallTimeout, ServiceNotAvailable
from pycom_core.messages import Attachment
from pycom_core.transport import AsyncChannel
from pycom_plugins.transport_zmtp import dialect, places
from pycom_plugins.transport_zmtp.channel import NO_REPLY, check
from pycom_plugins.transport_zmtp.dialing import dial
from pycom_plugins.transport_zmtp.engine import Connection, Event, ProtocolError, Storage
from pycom_plugins.transport_zmtp.later import Later
from pycom_plugins.transport_zmtp.lookups import Lookups
from pycom_plugins.transport_zmtp.outbox import Outbox
from pycom_plugins.transport_zmtp.polling import PUSHED_ASIDE, Polling
from pycom_plugins.transport_zmtp.silence import Passes, Silence

#: Bytes that are received at a time, where the room that they need is not known.
_ROOM = 65_536
#: s without news after which a connection is looked at before it is used.
_FRESH = 0.001
#: s after which connecting begins anew: the system tries ever more seldom.
_DIALING = 10.0
#: s between two looks whether a call that was given up has reached the server.
_DOUBT = 0.2
#: Bytes and buffers that leave in one system call (IOV_MAX of Linux is 1024).
_BATCH = 262_144
_BUFFERS = 512

Message = list[Attachment]


class AsyncSocketChannel(AsyncChannel):
    """A connection on the running event loop: made at the first call, and again where it ended.

    A call that has not left yet can be taken back. So requests wait here, and the system is given
    only what it takes at once.
    """

    def __init__(
        self,
        address: str,
        connection: Callable[[Storage], Connection],
        lookups: Lookups,
        budget: float,
        heartbeat: float,
    ) -> None:
        """`connection` makes the state of one connection.

        `budget` is that of polling; `heartbeat` is the time between two looks at silence. Both are
        in s, and 0 is none.
        """
        self._address = address
        self._new_connection = partial(connection, Storage())
        self._lookups = lookups
        self._polling = Polling(budget)
        loop = asyncio.get_running_loop()
        self._loop = weakref.ref(loop)
        self._thread, self._pid = threading.get_ident(), os.getpid()
        self._serial = 0
        self._pending: dict[bytes, asyncio.Future[Message]] = {}
        # Payloads and deadlines, in the order of the calls.
        self._unsent: dict[bytes, tuple[Sequence[Attachment], float]] = {}
        self._partly_sent: bytes | None = None  # its rest is in the outbox
        self._socket: socket.socket | None = None
        self._dialing: asyncio.Task[None] | None = None
        self._redial: asyncio.TimerHandle | None = None
        self._doubt = Later(self._check)
        self._is_writing = self._is_scheduled = self._cancels = False
        self._room = memoryview(bytearray(_ROOM))
        self._heard = 0.0
        self.received = 0
        self._passes = Passes(heartbeat, self._look_after_silence)

    async def exchange(self, payload: Sequence[Attachment], timeout: float) -> Message:
        now = time.monotonic()
        if self._socket is not None and not self._pending and now - self._heard > _FRESH:
            self.on_readable()  # the loop may have been busy when the connection ended
        self._serial += 1
        correlation = b"%x" % self._serial
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Message] = loop.create_future()
        self._pending[correlation] = reply
        self._unsent[correlation] = payload, now + timeout / 1000
        timer = None
        if not timeout > timeouts.LONGEST:
            timer = loop.call_later(timeout / 1000, self._expire, correlation, timeout)
        try:
            if self._socket is None:
                self._dial(loop)
            elif len(self._pending) == 1:
                self._send()
                if self._polling.wanted():
                    await self._look(reply)
            elif not self._is_scheduled:
                # Together with those that others are about to make, in one system call.
                self._is_scheduled = True
                loop.call_soon(self._send)
            return await reply
        finally:
            if timer is not None:
                timer.cancel()
            del self._pending[correlation]
            is_answered = reply.done() and not reply.cancelled() and reply.exception() is None
            if not self._take_back(correlation) and not is_answered:
                self._cancel(correlation)
                self._doubt_soon(loop)

    async def _look(self, reply: asyncio.Future[Message]) -> None:
        """Keep the loop from sleeping for a moment; whatever is ready has its turn meanwhile."""
        last = time.monotonic()
        end = last + self._polling.budget
        while not reply.done():
            await asyncio.sleep(0)
            now = time.monotonic()
            if now > end or now - last > PUSHED_ASIDE:
                self._polling.failed()
                return
            last = now
        self._polling.succeeded()

    def _expire(self, correlation: bytes, timeout: float) -> None:
        reply = self._pending[correlation]
        if not reply.done():
            is_sent = not self._take_back(correlation)
            state = "" if is_sent else ": there is no connection"
            if self._socket is not None and not is_sent:
                state = ": it takes nothing in"
            problem = f"No answer from {self._address} within {timeout:.0f} ms{state}"
            reply.set_exception(CallTimeout(problem, sent=is_sent))

    def _take_back(self, correlation: bytes) -> bool:
        """Do not send a call; tells whether it had not left."""
        if self._unsent.pop(correlation, None) is None:
            return False
        if not self._unsent:
            self._hang_up()
        return True

    def _cancel(self, correlation: bytes) -> None:
        """Tell the server that nobody waits for a call that has left, if it understands that."""
        if self._socket is not None and self._cancels:
            self._outbox.put(self._connection.encode(dialect.cancel(correlation)))
            if not self._is_writing:
                self._flush()

    def _doubt_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._socket is not None:
            self._doubt.start(loop, _DOUBT)

    def _check(self) -> None:
        """End a connection on which calls that were given up do not reach the server.

        The system sends them again, ever more seldom. They would be run late, and what follows
        them would have to wait.
        """
        assert self._socket is not None
        is_cut_off = places.is_cut_off(self._socket)
        if is_cut_off is not None:
            self._doubt_soon(asyncio.get_running_loop())
        if is_cut_off:
            self._lose(TimeoutError("what is sent to it gets lost"))

    # Connecting.

    def _dial(self, loop: asyncio.AbstractEventLoop) -> None:
        """Connect for as long as one of the calls waits for it, but not for too long."""
        if self._dialing is None:
            last = max(deadline for _, deadline in self._unsent.values())
            seconds = max(0.0, min(last - time.monotonic(), _DIALING))
            self._dialing = loop.create_task(self._connect(loop, seconds))
            self._redial = loop.call_later(seconds, self._dial_anew, loop)

    def _dial_anew(self, loop: asyncio.AbstractEventLoop) -> None:
        self._hang_up()
        if self._unsent:
            self._dial(loop)

    def _hang_up(self) -> None:
        if self._dialing is not None:
            self._dialing.cancel()
            self._connecting_ended()

    def _connecting_ended(self) -> None:
        self._dialing = None
        if self._redial is not None:
            self._redial.cancel()
            self._redial = None  # it would keep the loop alive

    async def _connect(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        try:
            found = self._lookups.places(self._address)
            known = found.result() if found.done() else await asyncio.wrap_future(found)
            made, connection, ready = await dial(known, self._new_connection, seconds)
        except (OSError, UnicodeError, ProtocolError) as error:
            self._connecting_ended()
            self._fail_unsent(self._lost(error))
            return
        self._connecting_ended()
        self._socket, self._connection, self._outbox = made, connection, Outbox(made)
        self._cancels = dialect.understands_cancel(ready.metadata)
        loop.add_reader(made, self.on_readable)
        self._silence = Silence(made, connection, self._outbox)
        self._passes.start(loop)
        self._send()

    # Sending.

    def _send(self) -> None:
        """Send the requests that wait, as far as the socket takes them."""
        self._is_scheduled = False
        while self._unsent and self._socket is not None and not self._is_writing:
            batch = self._batch()
            if not batch:
                return
            try:
                sent = _sent(self._socket, [buffer for _, buffers in batch for buffer in buffers])
            except OSError as error:
                self._end(error)
                return
            self._outbox.sent += sent  # though not by way of it
            self._settle(batch, sent)

    def _batch(self) -> list[tuple[bytes, list[Attachment]]]:
        """Requests that wait, encoded: as many as may leave at a time."""
        batch, size, count = [], 0, 0
        for correlation, (payload, _) in self._unsent.items():
            if self._pending[correlation].done():
                continue  # cancelled just now
            buffers = self._connection.encode((correlation, b"", *payload))
            batch.append((correlation, buffers))
            size += _size(buffers)
            count += len(buffers)
            if size > _BATCH or count > _BUFFERS:
                break
        return batch

    def _settle(self, batch: list[tuple[bytes, list[Attachment]]], sent: int) -> None:
        """Note what has left of a batch. Of a request that was cut the rest is in the outbox."""
        for correlation, buffers in batch:
            size = _size(buffers)
            if sent < size:
                if sent:
                    del self._unsent[correlation]
                    self._partly_sent = correlation
                    self._outbox.put(_rest(buffers, sent))
                self._write_on(True)
                return
            del self._unsent[correlation]
            sent -= size

    def _flush(self) -> None:
        """Send what the outbox holds, and then the requests that wait."""
        try:
            is_all = self._outbox.send()
        except OSError as error:
            self._end(error)
            return
        self._write_on(not is_all)
        if is_all:
            self._partly_sent = None
            self._send()

    def _write_on(self, wanted: bool) -> None:
        """Have the loop call `_flush` when the socket takes more, or not."""
        if wanted is not self._is_writing:
            self._is_writing = wanted
            loop = asyncio.get_running_loop()
            if wanted:
                loop.add_writer(self._socket, self._flush)  # type: ignore[arg-type]
            else:
                loop.remove_writer(self._socket)  # type: ignore[arg-type]

    # Receiving.

    def on_readable(self) -> None:
        """Receive what is there, and give it to those who wait."""
        try:
            self._receive()
        except BlockingIOError:
            pass
        except ProtocolError as error:
            with contextlib.suppress(OSError):
                self._hear(error.events)
            self._lose(error)
        except OSError as error:
            self._lose(error)

    def _receive(self) -> None:
        """Receive once. Raises OSError, `ProtocolError`."""
        connection = self._connection
        target = connection.target()
        count = self._socket.recv_into(  # type: ignore[union-attr]
            self._room if target is None else target
        )
        if not count:
            raise ConnectionResetError("the connection ended")
        self._heard = time.monotonic()
        self.received += count
        if target is None:
            self._hear(connection.receive(self._room[:count]))
        else:
            self._hear(connection.filled(count))
        if answer := connection.outgoing():
            self.say(answer)

    def _hear(self, events: list[Event]) -> None:
        for event in events:
            if type(event) is not list:
                check(event)
                continue
            waiting = self._pending.get(bytes(event[0]))
            if waiting is None or waiting.done():
                continue  # it is late
            if len(event) >= 4 and event[1] == b"":
                waiting.set_result(event[2:])
            else:
                waiting.set_exception(ServiceNotAvailable(f"{self._address}: {NO_REPLY}"))

    # A server that keeps silent.

    def _look_after_silence(self) -> bool:
        self._silence.look(self)
        return self._socket is not None

    @property
    def has_to_speak(self) -> bool:
        """True while calls wait for the server."""
        return self._socket is not None and bool(self._pending)

    def say(self, buffer: bytes) -> None:
        """Send bytes of the protocol."""
        self._outbox.put([buffer])
        if not self._is_writing:
            self._flush()

    def keeps_silent(self) -> None:
        """Fail the calls in flight: the server is not there any more."""
        self._lose(TimeoutError("it keeps silent, and does not answer a PING"))

    # The end.

    def _end(self, error: OSError) -> None:
        """Receive what came before a connection ended, as a server may have said why."""
        with contextlib.suppress(OSError, ProtocolError):
            while self._socket is not None:
                self._receive()
        if self._socket is not None:
            self._lose(error)

    def _lose(self, error: Exception) -> None:
        """Fail the calls in flight; those that have not left go by a new connection."""
        self._fail_sent(self._disconnect(), self._lost(error))
        if self._unsent:
            self._dial(asyncio.get_running_loop())

    def _fail_sent(self, partly_sent: bytes | None, problem: str) -> None:
        for correlation, reply in self._pending.items():
            if correlation not in self._unsent and not reply.done():
                # What came in part only is never run.
                is_sent = correlation != partly_sent
                reply.set_exception(ServiceNotAvailable(problem, sent=is_sent))

    def _fail_unsent(self, problem: str) -> None:
        """Fail the calls that have not left."""
        for correlation in self._unsent:
            reply = self._pending[correlation]
            if not reply.done():
                reply.set_exception(ServiceNotAvailable(problem, sent=False))
        self._unsent.clear()

    def _lost(self, error: Exception) -> str:
        return f"{self._address}: {places.reason(error)}"

    def _disconnect(self) -> bytes | None:
        """Close the connection. Returns the call that had left in part, if one had."""
        made, self._socket = self._socket, None
        partly_sent, self._partly_sent = self._partly_sent, None
        is_writing, self._is_writing = self._is_writing, False
        is_in_doubt = bool(self._pending) or self._doubt.is_started
        self._doubt.stop()
        if made is not None:
            self._passes.stop()
            if (loop := self._open_loop()) is not None:
                loop.remove_reader(made)
                if is_writing:
                    loop.remove_writer(made)
            if is_in_doubt:
                places.reset(made)
            else:
                made.close()
        return partly_sent

    def _open_loop(self) -> asyncio.AbstractEventLoop | None:
        loop = self._loop()
        return None if loop is None or loop.is_closed() else loop

    def is_alive(self) -> bool:
        return self._socket is not None

    def is_open(self) -> bool:
        return self._socket is not None or self._dialing is not None

    def close(self) -> None:
        if self._pid != os.getpid():
            self._leave_to_parent()
            return
        loop = self._open_loop()
        if loop is not None and self._thread != threading.get_ident():
            # Its socket may be in use there at this moment.
            with contextlib.suppress(RuntimeError):  # closed in between: nobody uses it now
                loop.call_soon_threadsafe(self._close)
                return
        self._close()

    def _close(self) -> None:
        partly_sent = self._disconnect()
        if self._open_loop() is not None:  # else nobody waits
            problem = f"The connection to {self._address} was closed"
            self._hang_up()
            self._fail_sent(partly_sent, problem)
            self._fail_unsent(problem)

    def _leave_to_parent(self) -> None:
        """Close the descriptor only: the loop's selector is shared with the parent."""
        if self._socket is not None:
            places.forget(self._socket)
            self._socket = None


def _size(buffers: Sequence[Attachment]) -> int:
    return sum(map(len, buffers))


def _sent(to: socket.socket, buffers: Sequence[Attachment]) -> int:
    """Send as much as the socket takes; the number of bytes. Raises OSError."""
    try:
        return to.send(buffers[0]) if len(buffers) == 1 else to.sendmsg(buffers)
    except BlockingIOError:
        return 0


def _rest(buffers: Sequence[Attachment], sent: int) -> list[Attachment]:
    """Buffers without so many bytes."""
    rest: list[Attachment] = []
    for buffer in buffers:
        if sent < len(buffer):
            rest.append(memoryview(buffer)[sent:] if sent else buffer)
        sent = max(0, sent - len(buffer))
    return rest
