"""Calls within the process, and a substitute network for tests."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import itertools
from collections.abc import Sequence
from typing import Any

from pycom_core import timeouts
from pycom_core.errors import CallTimeout, ConfigurationError, ServiceNotAvailable
from pycom_core.loops import _nested as nested
from pycom_core.messages import Attachment
from pycom_core.transport._base import AsyncChannel, Channel, Handler, Listener, Transport

_ADDRESS = b"local"
_ENDING = "The server of this process is ending"


class LocalChannel(Channel):
    """A channel to a server of this process, which takes the same steps as one from outside."""

    _is_aborted = False
    _task: asyncio.Task[Any] | None = None  #: that answers

    def __init__(self, server: Handler) -> None:
        self._server = server

    def exchange(self, payload: Sequence[Attachment], timeout: float) -> list[Attachment]:
        if self._server.closed:
            raise ServiceNotAvailable("The server of this process is closed", sent=False)
        message = [_ADDRESS, b"", *payload]
        loop = self._server.loop
        seconds = timeouts.seconds(timeout)
        answer = nested.kept_waiting(self._answer(message))
        try:
            if loop is not None and nested.runs_elsewhere(loop):
                reply = _result(asyncio.run_coroutine_threadsafe(answer, loop), seconds)
            else:
                reply = nested.run(answer, seconds)
        # Two names for one exception from Python 3.11 on.
        except (concurrent.futures.TimeoutError, TimeoutError):
            raise CallTimeout(f"No answer from this process within {timeout:.0f} ms") from None
        except (concurrent.futures.CancelledError, asyncio.CancelledError):
            reply = None
        if reply is None or self._is_aborted:  # to be cancelled may have been its answer
            raise ServiceNotAvailable("The call was aborted" if self._is_aborted else _ENDING)
        return list(reply[2:])

    async def _answer(self, message: list[Attachment]) -> list[Attachment]:
        self._task = asyncio.current_task()
        try:
            if self._is_aborted:  # before there was a task to cancel
                raise asyncio.CancelledError
            return await self._server.answer(message, nested=True)
        finally:
            self._task = None

    def abort(self) -> None:
        """Cancel what an event loop runs; a sync method goes on in the thread of its caller."""
        self._is_aborted = True
        task = self._task
        if task is not None:
            with contextlib.suppress(RuntimeError):  # its loop is closed
                task.get_loop().call_soon_threadsafe(task.cancel)

    def is_alive(self) -> bool:
        return not self._server.closed

    def close(self) -> None:
        """Do nothing, as there is nothing to release."""


def _result(answer: concurrent.futures.Future[Any], seconds: float | None) -> Any:
    try:
        return answer.result(seconds)
    finally:
        answer.cancel()


class AsyncLocalChannel(AsyncChannel):
    """The same for an event loop."""

    def __init__(self, server: Handler) -> None:
        self._server = server

    async def exchange(self, payload: Sequence[Attachment], timeout: float) -> list[Attachment]:
        server, message = self._server, [_ADDRESS, b"", *payload]
        # A call that is made for another one keeps waiting what that one does.
        answer = server.answer(message, nested=nested.keeps_thread_waiting())
        if server.loop is not None and nested.runs_elsewhere(server.loop):
            waiting = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(answer, server.loop))
        else:
            waiting = asyncio.ensure_future(answer)
        # Not `wait_for`: it would wait on for a method that does not heed its cancellation.
        try:
            await asyncio.wait([waiting], timeout=timeouts.seconds(timeout))
            if waiting.cancelled():
                raise ServiceNotAvailable(_ENDING)
            if waiting.done():
                return list(waiting.result()[2:])
        finally:
            waiting.cancel()
        raise CallTimeout(f"No answer from this process within {timeout:.0f} ms")

    def is_alive(self) -> bool:
        return not self._server.closed

    def close(self) -> None:
        """Do nothing, as there is nothing to release."""


class LocalListener(Listener):
    """An address of a `LocalTransport`, or several."""

    holds_sockets = False

    def __init__(self, network: Network, address: str, handler: Handler) -> None:
        self._network, self._handler = network, handler
        self.addresses = [network.bind(address, handler)]

    def also(self, address: str) -> None:
        self.addresses.append(self._network.bind(address, self._handler))

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Do nothing, as callers find the handler themselves."""

    def close(self) -> None:
        for address in self.addresses:
            self._network.handlers.pop(address, None)


class Network:
    """The servers of a local network, by address."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self._ports = itertools.count(1)

    def bind(self, address: str, handler: Handler) -> str:
        """Make a server known, and return its address. Raises `ConfigurationError`."""
        if address.endswith((":*", ":0")):
            address = f"{address.rpartition(':')[0]}:{next(self._ports)}"
        if self.handlers.setdefault(address, handler) is not handler:
            raise ConfigurationError(f"Cannot listen on {address!r}: Address already in use")
        return address


class LocalTransport(Transport):
    """A network without sockets. Runtimes that share one reach each other's servers."""

    def __init__(self) -> None:
        self._network = Network()

    def listen(self, address: str, handler: Handler) -> LocalListener:
        return LocalListener(self._network, address, handler)

    def connect(self, address: str) -> Channel:
        return _Lookup(self._network.handlers, address)

    def connect_async(self, address: str) -> AsyncChannel:
        return _AsyncLookup(self._network.handlers, address)

    def close(self) -> None:
        """Do nothing, as there is nothing to release."""


def _found(handlers: dict[str, Handler], address: str) -> Handler:
    try:
        return handlers[address]
    except KeyError:
        raise ServiceNotAvailable(f"Nobody listens on {address}", sent=False) from None


class _Lookup(LocalChannel):
    """A look-up of the server at each call, as a real connection finds a restarted server."""

    def __init__(self, handlers: dict[str, Handler], address: str) -> None:
        self._handlers, self._address = handlers, address

    def exchange(self, payload: Sequence[Attachment], timeout: float) -> list[Attachment]:
        self._server = _found(self._handlers, self._address)
        return super().exchange(payload, timeout)

    def is_alive(self) -> bool:
        return self._address in self._handlers


class _AsyncLookup(AsyncChannel):
    def __init__(self, handlers: dict[str, Handler], address: str) -> None:
        self._handlers, self._address = handlers, address

    async def exchange(self, payload: Sequence[Attachment], timeout: float) -> list[Attachment]:
        channel = AsyncLocalChannel(_found(self._handlers, self._address))
        return await channel.exchange(payload, timeout)

    def is_alive(self) -> bool:
        return self._address in self._handlers

    def close(self) -> None:
        pass
