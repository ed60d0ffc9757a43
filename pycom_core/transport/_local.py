"""Calls that stay within the process, and the double of a network for tests."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pycom_core import timeouts
from pycom_core.errors import CallTimeout, ConfigurationError, ServiceNotAvailable
from pycom_core.loops import _nested as nested
from pycom_core.messages import Attachment
from pycom_core.transport._aio import AsyncChannel
from pycom_core.transport._aio import LocalChannel as AsyncLocalChannel
from pycom_core.transport._zmq import Arrival, Channel, Listener, Transport

if TYPE_CHECKING:
    from pycom_core.server._server import Server

_ADDRESS = b"local"


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
        answer = self._server.answer(message, nested=True)
        try:
            if loop is not None and nested.runs_elsewhere(loop):
                reply = _result(asyncio.run_coroutine_threadsafe(answer, loop), seconds)
            else:
                reply = nested.run(answer, seconds)
        # Two names for one exception from Python 3.11 on.
        except (concurrent.futures.TimeoutError, TimeoutError):
            raise CallTimeout(f"No answer from this process within {timeout:.0f} ms") from None
        except concurrent.futures.CancelledError:
            raise ServiceNotAvailable("The server of this process is ending") from None
        return list(reply[2:])

    def is_alive(self) -> bool:
        return bool(self._server.listeners)

    def close(self) -> None:
        """There is nothing to let go of."""


def _result(answer: concurrent.futures.Future[Any], seconds: float | None) -> Any:
    try:
        return answer.result(seconds)
    finally:
        answer.cancel()


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
