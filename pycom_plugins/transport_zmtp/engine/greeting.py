"""The first 64 bytes: signature, version, mechanism (RFC 37, "Version Negotiation")."""

from __future__ import annotations

from pycom_plugins.transport_zmtp.engine.errors import OldPeer, ProtocolError

SIZE = 64
_VERSION = bytes((3, 1))
_SIGNATURE = b"\xff" + bytes(8) + b"\x7f"
# Revisions as libzmq announced them after the signature: 0 in 3.0, 1 in 3.1 to 3.3.
_OLD = {0: "1.0", 1: "2.0", 2: "2.1"}


def compose(mechanism: str, as_server: bool) -> bytes:
    """The whole greeting. No older version is spoken, so nothing waits for the peer's."""
    start = _SIGNATURE + _VERSION + mechanism.encode("ascii").ljust(20, b"\0")
    return (start + bytes((as_server,))).ljust(SIZE, b"\0")


def parse(data: bytes | bytearray) -> tuple[tuple[int, int], str] | None:
    """Version and mechanism of a greeting; None while bytes are missing.

    Raises `OldPeer` and `ProtocolError` as soon as the bytes tell.
    """
    _check_signature(data)
    if len(data) > 10 and data[10] < 3:
        raise OldPeer(_OLD[data[10]])
    if len(data) < SIZE:
        return None
    name = bytes(data[12:32]).rstrip(b"\0")
    return (data[10], data[11]), name.decode("ascii", "backslashreplace")


def _check_signature(data: bytes | bytearray) -> None:
    # ZMTP 1 begins with a message frame: its length, flags of zero. One of 255 bytes and more has
    # 0xff, eight bytes of length and the flags: there, the signature of newer versions has 0x7f.
    if len(data) > 1 and data[0] != 0xFF:
        if data[0] and not data[1]:
            raise OldPeer("1.0")
        raise ProtocolError(f"the peer does not speak ZMTP: it began with {bytes(data[:8])!r}")
    if len(data) > 9 and not data[9] & 1:
        raise OldPeer("1.0")
