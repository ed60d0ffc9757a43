"""The transport: what it listens with, and what it connects with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from pycom_core.messages import Peer
from pycom_core.transport import Handler, Transport
from pycom_plugins.transport_zmtp import places
from pycom_plugins.transport_zmtp.channel import BlockingChannel
from pycom_plugins.transport_zmtp.dialect import OURS, UNDERSTANDS
from pycom_plugins.transport_zmtp.engine import Connection, Storage
from pycom_plugins.transport_zmtp.limits import Limits
from pycom_plugins.transport_zmtp.lookups import Lookups
from pycom_plugins.transport_zmtp.mechanisms import Clear, Encrypted, Mechanisms
from pycom_plugins.transport_zmtp.options import Options
from pycom_plugins.transport_zmtp.yielding import Yielding

if TYPE_CHECKING:
    from pycom_core import Runtime
    from pycom_plugins.transport_zmtp.async_channel import AsyncSocketChannel
    from pycom_plugins.transport_zmtp.listener import SocketListener


class ZmtpTransport(Transport):
    """ZMTP 3 over the sockets of the system."""

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008 - it is frozen
        admit: Callable[[Peer], None] = lambda _: None,
        budget: float = 0.0,
        metadata: Mapping[str, bytes] = {},
        yields: Callable[[], bool] = lambda: False,
        mechanisms: Mechanisms = Clear(),  # noqa: B008 - it has no state
    ) -> None:
        """`budget` is the time of polling, in s; `metadata` is told to peers.

        `mechanisms` are those of the connections: whether they are encrypted, and with which keys.
        While `yields()` is true, another transport is to serve the addresses.
        """
        self._limits, self._admit, self._budget = limits, admit, budget
        self._metadata = metadata
        self._yields = yields
        self._mechanisms = mechanisms
        # Servers are trusted more than strangers: the limits of a service may be lower.
        self._reply_limits = Limits(frame=max(limits.frame, Limits().frame))
        self._lookups = Lookups()

    @classmethod
    def of(cls, runtime: Runtime) -> ZmtpTransport:
        """Make one as a runtime has its settings and keys. Raises `ConfigurationError`."""
        options = Options.of(runtime.settings)
        limits = options.limits(
            frame=runtime.settings.max_message_size, calls=runtime.settings.max_in_flight
        )
        metadata = {OURS: UNDERSTANDS}
        yields = Yielding(runtime)
        mechanisms = Clear() if runtime.keys is None else Encrypted(runtime.keys)
        return cls(limits, runtime.admit, options.budget, metadata, yields, mechanisms)

    @property
    def schemes(self) -> tuple[str, ...]:  # type: ignore[override]
        """The schemes that it serves now. Raises `ConfigurationError`."""
        return () if self._yields() else ("tcp", "ipc")

    def listen(self, address: str, handler: Handler) -> SocketListener:
        from pycom_plugins.transport_zmtp.listener import SocketListener

        listener = SocketListener(handler, self._router, self._limits, self._admit, self._budget)
        listener.also(address)
        return listener

    def connect(self, address: str) -> BlockingChannel:
        dealer = partial(self._dealer, address)
        address = places.to_connect(address)
        return BlockingChannel(address, dealer, self._lookups, self._budget)

    def connect_async(self, address: str) -> AsyncSocketChannel:
        from pycom_plugins.transport_zmtp.async_channel import AsyncSocketChannel

        return AsyncSocketChannel(
            places.to_connect(address),
            partial(self._dealer, address),
            self._lookups,
            self._budget,
            self._limits.heartbeat,
        )

    def _router(self, storage: Storage) -> Connection:
        return Connection(
            "ROUTER",
            self._mechanisms.of_server(),
            as_server=True,
            metadata=self._metadata,
            max_message_size=self._limits.message,
            max_frame_size=self._limits.frame,
            max_commands=self._limits.commands,
            storage=storage,
        )

    def _dealer(self, address: str, storage: Storage) -> Connection:
        return Connection(
            "DEALER",
            self._mechanisms.of_client(address),
            metadata=self._metadata,
            max_message_size=self._reply_limits.message,
            max_frame_size=self._reply_limits.frame,
            storage=storage,
        )

    def obstacle(self, address: str, timeout: float) -> str | None:
        return places.obstacle(address, timeout / 1000)

    def close(self) -> None:
        """Do nothing: each channel and listener closes itself."""
