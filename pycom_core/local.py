"""Calls that stay within the process, and the double of a network for tests."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import threading
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from pycom_core import timeouts
from pycom_core.aio.channel import AsyncChannel
from pycom_core.aio.channel import LocalChannel as AsyncLocalChannel
from pycom_core.errors import CallTimeout, ConfigurationError, ServiceNotAvailable
from pycom_core.messages import Attachment
from pycom_core.transport import Arrival, Channel, Listener, Transport

if TYPE_CHECKING:
    from pycom_core.server import Server

_ADDRESS = b"local"
#: `waiting`: the loops of this thread that a nested one, above them, has to end for.
_thread = threading.local()


class LocalChannel(Channel):
    """A way to a server of this process, through the same corridor as from outside."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def exchange(self, payload: Sequence[Attachment], timeout: float) -> list[Attachment]:
        if self._server not in self._server.runtime.servers:
            raise ServiceNotAvailable("The server of this process is closed")
        message = [_ADDRESS, b"", *payload]
        loop = self._server.loop
        seconds = timeouts.seconds(timeout)
        try:
            if loop is None or not loop.is_running() or _is_of_this_thread(loop):
                reply = self._run(self._server.answer(message, nested=True), seconds)
            else:
                coroutine = self._server.answer(message, nested=True)
                answer = asyncio.run_coroutine_threadsafe(coroutine, loop)
                try:
                    reply = answer.result(seconds)
                finally:
                    answer.cancel()
        # Two names for one exception from Python 3.11 on.
        except (concurrent.futures.TimeoutError, TimeoutError):
            raise CallTimeout(f"No answer from this process within {timeout:.0f} ms") from None
        return list(reply[2:])

    def _run(self, answer: Coroutine[Any, None, Any], timeout: float | None) -> Any:
        # The server's loop waits for this very thread, so another one steps in. It is made anew:
        # who would close one that is kept? No channel of a caller's context is closed for sure.
        nested, outer = asyncio.new_event_loop(), asyncio._get_running_loop()
        waiting = _thread.__dict__.setdefault("waiting", [])
        waiting.append(outer)
        asyncio._set_running_loop(None)
        try:
            return nested.run_until_complete(_within(timeout, answer))
        finally:
            asyncio._set_running_loop(outer)
            waiting.pop()
            nested.close()

    def is_alive(self) -> bool:
        return bool(self._server.listeners)

    def close(self) -> None:
        """There is nothing to let go of."""


async def _within(timeout: float | None, answer: Coroutine[Any, None, Any]) -> Any:
    # Not `wait_for`: a call that is cancelled still answers, and would look as if it were in time.
    task = asyncio.ensure_future(answer)
    await asyncio.wait([task], timeout=timeout)
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.wait([task])
    raise TimeoutError


def loop_stands_in() -> bool:
    """Whether the loop of this thread runs in place of another one, which waits for it."""
    return bool(getattr(_thread, "waiting", ()))


def _is_of_this_thread(loop: asyncio.AbstractEventLoop) -> bool:
    return loop is asyncio._get_running_loop() or loop in getattr(_thread, "waiting", ())


class LocalListener(Listener):
    """An address of a `LocalTransport`, or several."""

    def __init__(self, network: Network, address: str, server: Server) -> None:
        self._network, self._server = network, server
        self.addresses = [network.bind(address, server)]

    def also(self, address: str) -> None:
        self.addresses.append(self._network.bind(address, self._server))

    def fileno(self) -> None:
        return None

    def receive(self) -> Arrival | None:
        return None

    def stand_in(self) -> bool:
        return False

    def send(self, frames: Sequence[Attachment]) -> bool:
        return False

    def close(self) -> None:
        for address in self.addresses:
            self._network.servers.pop(address, None)


class Network:
    """Which server is found at which address."""

    def __init__(self) -> None:
        self.servers: dict[str, Server] = {}
        self._ports = itertools.count(1)

    def bind(self, address: str, server: Server) -> str:
        """Let a server be found; returns the address. Raises `ConfigurationError`."""
        if address.endswith((":*", ":0")):
            address = f"{address.rpartition(':')[0]}:{next(self._ports)}"
        if self.servers.setdefault(address, server) is not server:
            raise ConfigurationError(f"Cannot listen on {address!r}: Address already in use")
        return address


class LocalTransport(Transport):
    """A network without sockets. Runtimes that share one reach each other's servers."""

    def __init__(self) -> None:
        self._network = Network()

    def listen(self, address: str, server: Server) -> LocalListener:
        return LocalListener(self._network, address, server)

    def connect(self, address: str) -> Channel:
        return _Lookup(self._network.servers, address)

    def connect_async(self, address: str) -> AsyncChannel:
        return _AsyncLookup(self._network.servers, address)

    def close(self) -> None:
        pass


class _Lookup(Channel):
    """Finds its server at each call, as a real connection finds one that was restarted."""

    def __init__(self, network: dict[str, Server], address: str) -> None:
        self._network, self._address = network, address

    def exchange(self, payload: Sequence[Attachment], timeout: float) -> list[Attachment]:
        server = self._network.get(self._address)
        if server is None:
            raise ServiceNotAvailable(f"Nobody listens on {self._address}")
        channel = LocalChannel(server)
        try:
            return channel.exchange(payload, timeout)
        finally:
            channel.close()

    def is_alive(self) -> bool:
        return self._address in self._network

    def close(self) -> None:
        pass


class _AsyncLookup(AsyncChannel):
    def __init__(self, network: dict[str, Server], address: str) -> None:
        self._network, self._address = network, address

    async def exchange(self, payload: Sequence[Attachment], timeout: float) -> list[Attachment]:
        server = self._network.get(self._address)
        if server is None:
            raise ServiceNotAvailable(f"Nobody listens on {self._address}")
        return await AsyncLocalChannel(server).exchange(payload, timeout)

    def is_alive(self) -> bool:
        return self._address in self._network

    def close(self) -> None:
        pass
