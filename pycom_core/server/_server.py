"""A ZeroJSON server: its listeners, its commands, and the calls in progress."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pycom_core._copying import refused
from pycom_core.client._behalf import OnBehalf
from pycom_core.loops._waiting import Drive, knowing, run_by_hand, settle
from pycom_core.messages import Attachment, Delivery, Future, Request, Response, Session
from pycom_core.runtime._default import default_runtime
from pycom_core.runtime._runtime import Runtime
from pycom_core.server import _call_log as call_log
from pycom_core.server import _pipeline
from pycom_core.transport import ConnectedPeer, Listener, Transport
from pycom_core.wire._commands import BaseCommand

if TYPE_CHECKING:
    from pycom_core.client._async_context import AsyncContext
    from pycom_core.client._proxy import ProxyContext


class Server:
    """A server bound to `addresses`. Subclass it and override `handle_call`.

    `commands` is a live dict from names on the wire to commands. Raises `ConfigurationError`
    for an address that cannot be bound.
    """

    #: Every call has a session, as there are no interfaces that choose.
    opens_sessions = True
    __reduce__ = refused("make another one where it is needed")

    def __init__(self, addresses: Iterable[str], runtime: Runtime | None = None) -> None:
        self.runtime = runtime = runtime or default_runtime()
        self.chains = runtime.plugins.chains
        self.max_in_flight = runtime.settings.max_in_flight
        self.in_flight = 0
        self.loop: asyncio.AbstractEventLoop | None = None
        self.sessions = runtime.sessions()
        self.encoder = runtime.types.encoder
        self.fallback = BaseCommand()
        self.commands: dict[bytes, Any] = runtime.plugins.contributions(
            "pycom_commands", server=self
        )
        self.closed = False
        self._process: Callable[[Request], Any] = partial(_pipeline.process, self)
        self._is_left = False  # by a child, to the process that forked it
        self._drained: asyncio.Event | None = None
        self._on_behalf = OnBehalf(runtime)
        self.listeners: list[Listener] = []
        self._by_transport: dict[Transport, Listener] = {}
        self.aliases: list[str] = []  #: further addresses that reach it, and that others may know
        try:
            for address in addresses:
                self.listen(address)
        except BaseException:
            self._close_listeners()
            raise
        runtime.servers.append(self)

    def listen(self, address: str) -> None:
        """Bind an address, before `setup`. Raises `ConfigurationError`."""
        transport = self.runtime.transport.serving(address)
        listener = self._by_transport.get(transport)
        if listener is not None:
            listener.also(address)
            return
        listener = self._by_transport[transport] = transport.listen(address, self)
        self.listeners.append(listener)

    @property
    def addresses(self) -> list[str]:
        """The addresses as bound, with the ports that the system chose."""
        return [address for listener in self.listeners for address in listener.addresses]

    @property
    def peers(self) -> list[ConnectedPeer]:
        """The clients that are connected now, as far as transports know them. From any thread."""
        return [peer for listener in self.listeners for peer in listener.peers]

    @property
    def session_factory(self) -> Callable[[], Session]:
        """The factory of sessions for clients that have none."""
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

    def process(self, request: Request) -> Any:
        """Take a decoded request through the server. Override `handle_call` instead.

        Returns the response, or a `Future` of it if it comes later. For a request from a message
        it returns an awaitable.
        """
        answer = self._process(request)
        return answer if request.delivery is not None else run_by_hand(answer, request, self.loop)

    def dispatch(self, request: Request) -> Coroutine[Any, None, Response]:
        """Answer a prepared request."""
        return self._dispatch(request)

    async def _dispatch(self, request: Request) -> Response:
        response = await settle(self.handle_call(request), request.deadline, request)
        return response if isinstance(response, Response) else request.response(response)

    def context_for(self, request: Request) -> ProxyContext:
        """A context on behalf of the caller of `request`."""
        return self._on_behalf.context(request)

    def async_context_for(self, request: Request) -> AsyncContext:
        """Return the same for an event loop."""
        return self._on_behalf.async_context(request)

    # Life.

    def setup(self, ioloop: asyncio.AbstractEventLoop | None = None) -> None:
        """Answer from now on, on `ioloop` or the runtime's own. Raises `PluginError`."""
        self.loop = ioloop or self.runtime.ioloop()
        if call_log.is_shown():
            self._process = call_log.logged(self._process)
        self.runtime.plugins.notify("pycom_startup", server=self)
        for listener in self.listeners:
            listener.start(self.loop)

    async def drain(self, timeout: float) -> bool:
        """Wait until no call runs, for at most `timeout` s. True if all ended."""
        self._drained = asyncio.Event()
        if self.in_flight:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._drained.wait(), timeout)
        for listener in self.listeners:
            await listener.flush()
        return not self.in_flight

    def leave_to_parent(self) -> None:
        """In a forked child: answer nothing, and leave shared resources untouched."""
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
        self.let_go()
        self._on_behalf.close()

    def let_go(self) -> None:
        """Stop answering and unbind, without a word to plugins."""
        self.closed = True
        self._close_listeners()

    def _close_listeners(self) -> None:
        for listener in self.listeners:
            listener.close()
        self.listeners = []

    # Messages.

    def accept(self, delivery: Delivery) -> None:
        """Answer a message that a listener received."""
        self.in_flight += 1
        answer = _pipeline.answer(self, delivery)
        try:
            waited_for = answer.send(None)
        except StopIteration as stop:  # most calls are answered here and now
            self._reply(delivery, stop.value)
        else:
            assert self.loop is not None
            drive = Drive(answer, partial(self._reply, delivery), self.loop)
            drive.wait(waited_for)
            delivery.on_cancel = drive.cancel_soon
            if delivery.is_cancelled:  # meanwhile, in another thread
                drive.cancel_soon()

    def _reply(self, delivery: Delivery, frames: list[Attachment]) -> None:
        assert delivery.reply is not None
        delivery.on_cancel = None
        try:
            if not delivery.is_cancelled:
                delivery.reply(frames)
        finally:
            self._one_less()

    def _one_less(self) -> None:
        self.in_flight -= 1
        if self._drained is not None and not self.in_flight:
            self._drained.set()

    async def answer(self, frames: Sequence[Attachment], nested: bool = False) -> list[Attachment]:
        """Answer a message that did not come by a socket: frames in, frames out."""
        self.in_flight += 1
        try:
            delivery = Delivery.of_process(frames, nested)
            return await knowing(_pipeline.answer(self, delivery))  # type: ignore[no-any-return]
        finally:
            self._one_less()
