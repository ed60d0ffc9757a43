"""Commands of the handshake that all mechanisms share."""

from __future__ import annotations

from pycom_plugins.transport_zmtp.engine import framing
from pycom_plugins.transport_zmtp.engine.errors import ProtocolError, Refused


def split(body: bytes) -> tuple[bytes, bytes]:
    """Name and data of a command. Raises `ProtocolError`."""
    end = 1 + body[0] if body else 0
    if not 1 < end <= len(body):
        raise ProtocolError(f"the peer sent a malformed command: {body[:16]!r}")
    return body[1:end], body[end:]


def error(reason: str) -> bytes:
    """The body of an ERROR command; the reason is cut after 255 bytes of ASCII."""
    text = reason.encode("ascii", "replace")[:255]
    return framing.named(b"ERROR", bytes((len(text),)) + text)


def unexpected(name: bytes, data: bytes) -> ProtocolError:
    """The fault of a command that is not the one expected: ERROR is a refusal."""
    if name != b"ERROR":
        return ProtocolError(f"the peer sent {name!r} in the handshake, which has no place there")
    reason = data[1 : 1 + data[0]] if data else b""
    # What a stranger says is printed: no line of its own, and nothing that a terminal obeys.
    shown = reason.decode("latin-1").encode("unicode_escape").decode()
    return Refused(f"the peer refused: {shown or 'no reason'}")
