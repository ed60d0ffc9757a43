"""Several transports as one: the first that serves an address is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pycom_core.errors import ConfigurationError
from pycom_core.transport._base import AsyncChannel, Channel, Handler, Listener, Transport


class PreferredTransports(Transport):
    """Transports in order of preference, each made when an address needs it."""

    def __init__(self, names: Sequence[str], make: Callable[[str], Transport]) -> None:
        """`make(name)` gives a transport. It may raise `ConfigurationError`."""
        self._names, self._make = names, make
        self._made: dict[str, Transport] = {}

    def listen(self, address: str, handler: Handler) -> Listener:
        return self.serving(address).listen(address, handler)

    def connect(self, address: str) -> Channel:
        return self.serving(address).connect(address)

    def connect_async(self, address: str) -> AsyncChannel:
        return self.serving(address).connect_async(address)

    def obstacle(self, address: str, timeout: float) -> str | None:
        return self.serving(address).obstacle(address, timeout)

    def adopt(self, socket: Any) -> Channel | None:
        channels = (self._transport(name).adopt(socket) for name in self._names)
        return next((channel for channel in channels if channel is not None), None)

    def serving(self, address: str) -> Transport:
        """The first that serves an address. Raises `ConfigurationError`."""
        own = address.partition("://")[0]
        for name in self._names:
            transport = self._transport(name)
            if own in transport.schemes:
                return transport
        schemes = dict.fromkeys(scheme for one in self._made.values() for scheme in one.schemes)
        served = [f"{scheme}://" for scheme in schemes]
        raise ConfigurationError(
            f"Invalid address {address!r}: addresses begin with one of {', '.join(served)} "
            f"(transport: {', '.join(self._names)})"
        )

    def _transport(self, name: str) -> Transport:
        made = self._made.get(name)
        if made is None:
            # Of what threads make at the same time the first is kept.
            made = self._made.setdefault(name, self._make(name))
        return made

    def close(self) -> None:
        for transport in self._made.values():
            transport.close()
