"""The table `zmtp` of the configuration."""

from __future__ import annotations

from typing import Annotated

import attrs
from msgspec import Meta

from pycom_core import Settings, settings
from pycom_plugins.transport_zmtp.limits import Limits

_Positive = Annotated[int, Meta(ge=1)]


@attrs.frozen
class Options:
    """The options with their defaults."""

    polling: Annotated[int, Meta(ge=0)] = 200  #: µs
    handshake_timeout: _Positive = 10_000  #: ms
    connections: _Positive = 10_000
    connections_by_address: _Positive = 1_000
    queued: _Positive = 64 * 1024 * 1024  #: bytes
    queued_in_all: _Positive = 1024 * 1024 * 1024  #: bytes
    inbox: _Positive = 10_000
    in_flight: _Positive = 1_000
    heartbeat: Annotated[int, Meta(ge=0, le=86_400_000)] = 30_000  #: ms; 0: no PINGs

    @classmethod
    def of(cls, told: Settings) -> Options:
        """Read them. Raises `ConfigurationError`."""
        return settings.table(told, "zmtp", cls)

    @property
    def budget(self) -> float:
        """The time of polling, in s."""
        return self.polling / 1e6

    def limits(self, frame: int, calls: int) -> Limits:
        """The limits of servers. `frame`: bytes of the largest; `calls` that a server runs."""
        return Limits(
            handshake=self.handshake_timeout / 1000,
            connections=self.connections,
            connections_by_address=self.connections_by_address,
            inbox=self.inbox,
            queued=self.queued,
            queued_in_all=self.queued_in_all,
            in_flight=min(self.in_flight, max(1, calls // 2)),  # others have the rest
            heartbeat=self.heartbeat / 1000,
            frame=frame,
        )
