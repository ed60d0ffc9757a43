"""From the first byte to the peer's metadata."""

from __future__ import annotations

from pycom_plugins.transport_zmtp.engine import framing, greeting
from pycom_plugins.transport_zmtp.engine.errors import ProtocolError
from pycom_plugins.transport_zmtp.engine.events import Ready
from pycom_plugins.transport_zmtp.engine.framing import COMMAND, LONG
from pycom_plugins.transport_zmtp.engine.mechanism import Mechanism

#: Bytes of a command, in the handshake and after it.
MOST = 8 * 1024
_PEERS = {
    "DEALER": ("DEALER", "REP", "ROUTER"),
    "ROUTER": ("DEALER", "REQ", "ROUTER"),
}


def check_socket_type(socket_type: str) -> None:
    """Raise ValueError for a type that this engine is not."""
    if socket_type not in _PEERS:
        raise ValueError(f"socket_type must be one of {', '.join(_PEERS)}, not {socket_type!r}")


class Handshake:
    """Greeting and mechanism. `rest` holds what has not been looked at."""

    __slots__ = (
        "_as_server",
        "_mechanism",
        "_metadata",
        "_out",
        "_socket_type",
        "_version",
        "rest",
    )

    def __init__(
        self,
        socket_type: str,
        mechanism: Mechanism,
        as_server: bool,
        metadata: bytes,
        out: bytearray,
    ) -> None:
        self._socket_type = socket_type
        self._mechanism = mechanism
        self._as_server = as_server
        self._metadata = metadata
        self._out = out
        self._version: tuple[int, int] | None = None
        self.rest = bytearray()

    @property
    def greeted(self) -> bool:
        """Tell whether the peer's greeting has come, so that it can be told something."""
        return self._version is not None

    def receive(self, data: bytes | bytearray | memoryview) -> Ready | None:
        """Go on as far as the bytes reach. Raises `ProtocolError`."""
        self.rest += data
        if self._version is None and not self._greet():
            return None
        while (body := self._command()) is not None:
            answer = self._mechanism.step(body)
            ready = None if self._mechanism.properties is None else self._ready()
            self._send(*answer)
            if ready is not None:
                return ready
        return None

    def _greet(self) -> bool:
        found = greeting.parse(self.rest)
        if found is None:
            return False
        self._version, name = found
        ours = self._mechanism.name
        if name != ours:
            self._version = None  # such a peer would not understand an ERROR
            raise ProtocolError(f"the peer's mechanism is {name!r}, ours is {ours!r}")
        del self.rest[: greeting.SIZE]
        self._send(*self._mechanism.begin(self._metadata, self._as_server))
        return True

    def _send(self, *bodies: bytes) -> None:
        for body in bodies:
            self._out += framing.command(body)

    def _command(self) -> bytes | None:
        """Take the next command out of the rest, once all of it is there."""
        rest = self.rest
        if not rest:
            return None
        if rest[0] not in (COMMAND, COMMAND | LONG):
            raise ProtocolError(f"the peer sent a frame with flags {rest[0]:#x} in the handshake")
        begin = 9 if rest[0] & LONG else 2
        if len(rest) < begin:
            return None
        size = int.from_bytes(rest[1:begin], "big")
        if size > MOST:
            raise ProtocolError(f"the peer announced a command of {size} bytes; {MOST} are taken")
        if len(rest) < begin + size:
            return None
        body = bytes(rest[begin : begin + size])
        del rest[: begin + size]
        return body

    def _ready(self) -> Ready:
        """Check what the peer says of itself."""
        found, version = self._mechanism.properties, self._version
        assert found is not None
        assert version is not None
        socket_type = found.get("Socket-Type", b"").decode("ascii", "backslashreplace")
        allowed = _PEERS[self._socket_type]
        if socket_type not in allowed:
            raise ProtocolError(
                f"a {self._socket_type} talks to {', '.join(allowed)}, not to {socket_type!r}"
            )
        routing_id = found.get("Identity", b"")
        if len(routing_id) > 255 or routing_id.startswith(b"\0"):
            raise ProtocolError(f"the peer has an invalid routing id: {routing_id[:16]!r}")
        return Ready(socket_type, routing_id, found, self._mechanism.key, version)
