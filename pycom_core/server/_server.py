"""A ZeroJSON server: sockets, commands, and the way of a message through them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from pycom_core._copying import refused
from pycom_core.log import logger
from pycom_core.loops._waiting import Drive, settle
from pycom_core.messages import Attachment, Future, Request, Response, Session
from pycom_core.server import _call_log as calllog
from pycom_core.server import _pipeline as corridor
from pycom_core.server._stand_in import StandIn
from pycom_core.transport._zmq import Arrival, Listener

if TYPE_CHECKING:
    from pycom_core.client._proxy import ProxyContext
    from pycom_core.runtime._runtime import Runtime

#: Messages that are taken in at one wake-up, before other callbacks of the loop have their turn.
BURST = 256
#: s that the reply of a quick method may wait for those of others, to leave together with them.
HOLD = 0.0005
#: s for clients to take in the last replies: where the connection ends first, 0MQ may drop them.
PARTING = 0.1


class Server:
    """A server bound to `addresses`. Subclass it and override `handle_call`.

    `commands` is a live dict from names on the wire to commands. Raises `ConfigurationError`
    for an address that cannot be bound.
    """

    #: Every call has a session, as there are no interfaces to say which do.
    opens_sessions = True
    __reduce__ = refused("make another one where it is needed")

    def __init__(self, addresses: Iterable[str], runtime: Runtime | None = None) -> None:
        if runtime is None:
            from pycom_core.runtime._runtime import default_runtime

            runtime = default_runtime()
        self.runtime = runtime
        self.max_in_flight = runtime.settings.max_in_flight
        self.in_flight = 0
        self.loop: asyncio.AbstractEventLoop | None = None
        self.sessions = runtime.sessions()
        self.commands: dict[bytes, Any] = runtime.plugins.contributions(
            "pycom_commands", server=self
        )
        self._drained: asyncio.Event | None = None
        self._look_again = False
        self._is_left = False  # by a child, to the process that forked it
        self._replies: deque[tuple[Listener, list[Attachment]]] = deque()
        self._sending = threading.Lock()
        self._stand_in = StandIn(self._receive_meanwhile)
        self.listeners: list[Listener] = []
        self.aliases: list[str] = []  #: addresses that others may know it by, and that reach it
        try:
            for address in addresses:
                if self.listeners:
                    self.listeners[0].also(address)
                else:
                    self.listeners.append(runtime.transport.listen(address, self))
        except BaseException:
            self._close_listeners()
            raise
        runtime.servers.append(self)

    @property
    def addresses(self) -> list[str]:
        """The addresses as bound, with the ports that the system chose."""
        return [address for listener in self.listeners for address in listener.addresses]

    @property
    def session_factory(self) -> Callable[[], Session]:
        """What makes the sessions of clients that have none."""
        return self.sessions.factory

    @session_factory.setter
    def session_factory(self, factory: Callable[[], Session]) -> None:
        self.sessions.factory = factory

    # What a subclass changes.

    def prepare_call(self, request: Request) -> Request:
        """Prepare a request for `handle_call`; returns it, or another."""
        return request

    def handle_call(self, request: Request) -> Response | Future | Awaitable[Response]:
        """Answer one call. May be `async def`, or return a `Future`."""
        raise NotImplementedError

    # What the commands call.

    def process(self, request: Request) -> Coroutine[Any, None, Response]:
        """Take a decoded request through the server. Override `handle_call` instead."""
        return corridor.process(self, request)

    def dispatch(self, request: Request) -> Coroutine[Any, None, Response]:
        """Have a prepared request answered."""
        return self._dispatch(request)

    async def _dispatch(self, request: Request) -> Response:
        response = await settle(self.handle_call(request), request.deadline)
        return response if isinstance(response, Response) else request.response(response)

    def context_for(self, request: Request) -> ProxyContext:
        """A context on behalf of the caller of `request`."""
        return self.runtime.context_for(request)

    # Life.

    def setup(self, ioloop: asyncio.AbstractEventLoop | None = None) -> None:
        """Answer from now on, on `ioloop` or the runtime's own. Raises `PluginError`."""
        self.loop = ioloop or self.runtime.ioloop()
        if calllog.is_shown():
            self.process = calllog.logged(self.process)  # type: ignore[method-assign, assignment]
        self.runtime.plugins.notify("pycom_startup", server=self)
        for listener in self.listeners:
            descriptor = listener.fileno()
            if descriptor is not None:
                self.loop.add_reader(descriptor, self._on_readable, listener)
                self.loop.call_soon_threadsafe(self._on_readable, listener)
        self._stand_in.start()

    async def drain(self, timeout: float) -> bool:
        """Wait until no call runs, for `timeout` s at most. True if all ended."""
        self._drained = asyncio.Event()
        if self.in_flight:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._drained.wait(), timeout)
        await asyncio.sleep(PARTING)
        return not self.in_flight

    def leave_to_parent(self) -> None:
        """In a forked child: answer nothing, and touch nothing that both have."""
        self._sending = threading.Lock()  # another thread may have had it
        self._is_left = True
        for listener in self.listeners:
            listener.leave_to_parent()

    def close(self) -> None:
        """Stop answering and unbind. On the loop's thread, or when the loop has stopped."""
        if self._is_left:
            return
        if self in self.runtime.servers:
            self.runtime.servers.remove(self)
            self.runtime.plugins.notify_all("pycom_shutdown", server=self)
            self.sessions.end(self.loop)
        if self.loop is not None and not self.loop.is_closed():
            for listener in self.listeners:
                descriptor = listener.fileno()
                if descriptor is not None:
                    self.loop.remove_reader(descriptor)
        self.let_go()

    def let_go(self) -> None:
        """Stop answering and unbind, without a word to plugins."""
        self._stand_in.stop()
        self._send_replies()
        self._close_listeners()

    def _close_listeners(self) -> None:
        for listener in self.listeners:
            listener.close()
        self.listeners = []

    # Messages.

    def _on_readable(self, listener: Listener) -> None:
        if listener not in self.listeners:
            return
        since = 0.0  # the first reply leaves at once
        for _ in range(BURST):
            arrival = listener.receive()
            if arrival is not None:
                self._stand_in.busy()
                self._accept(listener, arrival)
                now = time.monotonic()
                if now - since > HOLD:
                    self._send_replies()
                    since = now
            # The descriptor tells of changes only, and sending may swallow what it has to tell:
            # read until nothing waits, and again when something was sent.
            elif not self._send_replies():
                self._stand_in.free()
                return
        # Busy still: what waits now does so since before this burst, and its time counts.
        self._send_replies()
        assert self.loop is not None
        self.loop.call_soon(self._on_readable, listener)

    def _accept(self, listener: Listener, arrival: Arrival) -> None:
        self.in_flight += 1
        answer = corridor.answer(self, arrival[1], arrival[0])
        try:
            waited_for = answer.send(None)
        except StopIteration as stop:  # most calls are answered here and now
            self._reply(listener, stop.value)
        else:
            assert self.loop is not None
            Drive(answer, partial(self._reply_later, listener), self.loop).wait(waited_for)

    def _reply_later(self, listener: Listener, reply: list[Attachment]) -> None:
        self._reply(listener, reply)
        if not self._look_again:
            self._look_again = True
            assert self.loop is not None
            self.loop.call_soon(self._read_all)

    def _read_all(self) -> None:
        self._look_again = False
        for listener in self.listeners:
            self._on_readable(listener)

    def _reply(self, listener: Listener, reply: list[Attachment]) -> None:
        self._replies.append((listener, reply))
        self._one_less()

    def _send_replies(self) -> bool:
        # They leave together, so that 0MQ's thread wakes up once for all of them.
        if not self._replies:
            return False
        with self._sending:  # the stand-in or the loop, lest one overtakes the other
            while self._replies:
                listener, reply = self._replies.popleft()
                if not listener.send(reply):
                    logger().info("A reply was dropped: its client is gone or does not read")
        return True

    def _one_less(self) -> None:
        self.in_flight -= 1
        if self._drained is not None and not self.in_flight:
            self._drained.set()

    def _receive_meanwhile(self) -> None:
        assert self.loop is not None
        self._send_replies()
        for listener in self.listeners:
            if listener.stand_in():
                # The loop may have come free since, and heard nothing of these.
                self.loop.call_soon_threadsafe(self._on_readable, listener)

    async def answer(self, frames: list[Any], nested: bool = False) -> list[Any]:
        """Answer a message that came by another way than a socket: frames in, frames out."""
        self.in_flight += 1
        try:
            return await corridor.answer(self, frames, time.monotonic(), nested)
        finally:
            self._one_less()
