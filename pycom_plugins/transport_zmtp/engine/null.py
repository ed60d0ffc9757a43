"""The mechanism NULL: metadata is exchanged, nothing is proved and nothing hidden (RFC 37)."""

from __future__ import annotations

from collections.abc import Sequence

from pycom_plugins.transport_zmtp.engine import commands, framing, properties
from pycom_plugins.transport_zmtp.engine.mechanism import Mechanism


class Null(Mechanism):
    """READY from both sides. The side that was connected to waits, so it may still say ERROR."""

    name = "NULL"

    def begin(self, metadata: bytes, as_server: bool) -> Sequence[bytes]:
        """Send READY, unless this side was connected to."""
        self._ready = framing.named(b"READY", metadata)
        return () if as_server else self._accept()

    def step(self, command: bytes) -> Sequence[bytes]:
        """Take the peer's READY."""
        name, data = commands.split(command)
        if name != b"READY":
            raise commands.unexpected(name, data)
        self.properties = properties.decode(data)
        return () if self.accepted else self._accept()

    def _accept(self) -> Sequence[bytes]:
        self.accepted = True
        return (self._ready,)
