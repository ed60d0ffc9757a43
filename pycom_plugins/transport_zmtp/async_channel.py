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
from pycom_plugins.transport_zmtp.dialer import Dialer
from pycom_plugins.transport_zmtp.doubt import Doubt
from pycom_plugins.transport_zmtp.engine import Connection, Event, ProtocolError, Ready, Storage
from pycom_plugins.transport_zmtp.lookups import Lookups
from pycom_plugins.transport_zmtp.outbox import Outbox
from pycom_plugins.transport_zmtp.polling import PUSHED_ASIDE, Polling, give_way
from pycom_plugins.transport_zmtp.silence import Passes, Silence
from pycom_plugins.transport_zmtp.unsent import Unsent

#: Bytes that are received at a time, where the room that they need is not known.
_ROOM = 65_536
#: s without news after which a connection is looked at before it is used.
_FRESH = 0.001

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
        self._polling = Polling(budget)
        self._loop = weakref.ref(asyncio.get_running_loop())
        self._thread, self._pid = threading.get_ident(), os.getpid()
        self._serial = 0
        self._pending: dict[bytes, asyncio.Future[Message]] = {}
        self._unsent = Unsent(self._pending)
        self._dialer = Dialer(address, partial(connection, Storage()), lookups, self._unsent)
        self._socket: socket.socket | None = None
        self._doubt = Doubt(self._lose)
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
                self._dialer.start(self, loop)
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
                self._cancel(correlation, loop)

    async def _look(self, reply: asyncio.Future[Message]) -> None:
        """Keep the loop from sleeping for a moment; whatever is ready has its turn meanwhile."""
        last = time.monotonic()
        end = last + self._polling.budget
        while not reply.done():
            await asyncio.sleep(0)
            give_way()
            now = time.monotonic()
            if now > end or now - last > PUSHED_ASIDE:
                self._polling.failed(pushed_aside=now <= end)
                return
            last = now
        self._polling.succeeded()

    def _expire(self, correlation: bytes, timeout: float) -> None:
        reply = self._pending[correlation]
        if not reply.done():
            is_sent = not self._take_back(correlation)
            state = "" if is_sent else ": the connection was not ready in time"
            if self._socket is not None and not is_sent:
                state = ": it takes nothing in"
            problem = f"No answer from {self._address} within {timeout:.0f} ms{state}"
            reply.set_exception(CallTimeout(problem, sent=is_sent))

    def _take_back(self, correlation: bytes) -> bool:
        """Do not send a call; tells whether it had not left."""
        if self._unsent.pop(correlation, None) is None:
            return False
        if not self._unsent:
            self._dialer.stop()
        return True

    def _cancel(self, correlation: bytes, loop: asyncio.AbstractEventLoop) -> None:
        """Give up a call that has left: tell the server, if it understands that."""
        if self._socket is not None and self._cancels:
            self._outbox.put(self._connection.encode(dialect.cancel(correlation)))
            if not self._is_writing:
                self._flush()
        if self._socket is not None:
            self._doubt.begin(self._socket, loop)

    # Connecting.

    def connected(self, made: socket.socket, connection: Connection, ready: Ready) -> None:
        """Send what waits for a connection."""
        self._socket, self._connection, self._outbox = made, connection, Outbox(made)
        self._cancels = dialect.understands_cancel(ready.metadata)
        loop = asyncio.get_running_loop()
        loop.add_reader(made, self.on_readable)
        self._silence = Silence(made, connection, self._outbox)
        self._passes.start(loop)
        self._send()

    def not_connected(self, error: Exception) -> None:
        """Fail the calls that wait for a connection."""
        self._unsent.fail(self._lost(error), error)

    # Sending.

    def _send(self) -> None:
        """Send the requests that wait, as far as the socket takes them."""
        self._is_scheduled = False
        while self._unsent and self._socket is not None and not self._is_writing:
            batch, buffers = self._unsent.batch(self._connection.encode)
            if not batch:
                return
            try:
                sent = self._outbox.send_at_once(buffers)
            except OSError as error:
                self._end(error)
                return
            rest = self._unsent.settle(batch, sent)
            if rest is not None:
                self._outbox.put(rest)
                self._unsent.cut_until = self._outbox.sent + self._outbox.size
                self._write_on(True)

    def _flush(self) -> None:
        """Send what the outbox holds, and then the requests that wait."""
        try:
            is_all = self._outbox.send()
        except OSError as error:
            self._end(error)
            return
        self._write_on(not is_all)
        if is_all:
            self._unsent.cut = None
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
        self._disconnect()
        self._fail_sent(self._lost(error))
        if self._unsent:
            self._dialer.start(self, asyncio.get_running_loop())

    def _fail_sent(self, problem: str) -> None:
        """Fail the calls that have left. What came in part only is never run."""
        cut = None if self._unsent.cut is None else self._unsent.lose_cut(self._outbox.sent)
        for correlation, reply in self._pending.items():
            if correlation not in self._unsent and not reply.done():
                reply.set_exception(ServiceNotAvailable(problem, sent=correlation != cut))

    def _lost(self, error: Exception) -> str:
        return f"{self._address}: {places.reason(error)}"

    def _disconnect(self) -> None:
        made, self._socket = self._socket, None
        is_writing, self._is_writing = self._is_writing, False
        is_in_doubt = bool(self._pending) or self._doubt.is_open
        self._doubt.end()
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

    def _open_loop(self) -> asyncio.AbstractEventLoop | None:
        loop = self._loop()
        return None if loop is None or loop.is_closed() else loop

    def is_alive(self) -> bool:
        return self._socket is not None

    def is_open(self) -> bool:
        return self._socket is not None or self._dialer.is_dialing

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
        self._disconnect()
        if self._open_loop() is not None:  # else nobody waits
            problem = f"The connection to {self._address} was closed"
            self._dialer.stop()
            self._fail_sent(problem)
            self._unsent.fail(problem)

    def _leave_to_parent(self) -> None:
        """Close the descriptor only: the loop's selector is shared with the parent."""
        if self._socket is not None:
            places.forget(self._socket)
            self._socket = None
