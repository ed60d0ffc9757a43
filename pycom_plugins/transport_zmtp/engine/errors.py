"""The ends of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycom_core.errors import PycomError

if TYPE_CHECKING:
    from pycom_plugins.transport_zmtp.engine.events import Event


class ProtocolError(PycomError):
    """The peer does not speak ZMTP 3 as it should; the connection is dead.

    `reason` is made for a log line. `events` came before the fault, in the same bytes.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.events: list[Event] = []


class OldPeer(ProtocolError):
    """The peer speaks ZMTP 1 or 2, which libzmq did before 4.0."""

    def __init__(self, version: str) -> None:
        super().__init__(
            f"the peer speaks ZMTP {version}, this transport ZMTP 3;"
            ' the setting transport = ["zmq"] talks to such peers'
        )


class Refused(ProtocolError):
    """The peer answered the handshake with ERROR: it will not have these credentials (RFC 37)."""
