"""Frames: flags, size, body (RFC 37, "Framing")."""

from __future__ import annotations

from collections.abc import Sequence

from pycom_core.messages import Attachment

MORE, LONG, COMMAND = 1, 2, 4
#: Bodies from this size on are not copied: they are sent as they are, and received in place.
LARGE = 64 * 1024
_LAST_HEADERS = [bytes((0, size)) for size in range(256)]
_MORE_HEADERS = [bytes((MORE, size)) for size in range(256)]


def header(flags: int, size: int) -> bytes:
    """The bytes before a body of `size` bytes."""
    if size < 256:
        return bytes((flags, size))
    return bytes((flags | LONG,)) + size.to_bytes(8, "big")


def command(body: bytes) -> bytes:
    """A frame that carries a command."""
    return header(COMMAND, len(body)) + body


def named(name: bytes, data: bytes = b"") -> bytes:
    """The body of a command."""
    return bytes((len(name),)) + name + data


def join(frames: Sequence[Attachment]) -> list[Attachment]:
    """One message as buffers to send: what is small in one piece, large bodies as they are."""
    buffers: list[Attachment] = []
    pieces: list[Attachment] = []
    headers, left = _MORE_HEADERS, len(frames)
    for frame in frames:
        left -= 1
        if not left:
            headers = _LAST_HEADERS
        if type(frame) is not bytes:
            frame = flat(frame)
        size = len(frame)
        if size < 256:
            pieces += headers[size], frame
        elif size < LARGE:
            pieces += header(MORE if left else 0, size), frame
        else:
            pieces.append(header(MORE if left else 0, size))
            buffers += b"".join(pieces), frame
            pieces = []
    if pieces:
        buffers.append(b"".join(pieces))
    return buffers


def flat(frame: Attachment) -> Attachment:
    """The same bytes with a length that counts them. Views that skip bytes are copied."""
    if type(frame) is not memoryview:
        return frame
    if not frame.nbytes or not frame.c_contiguous:
        return frame.tobytes()
    return frame.cast("B")
