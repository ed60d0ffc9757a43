"""Messages of PyCOM's own connections beyond calls, and how they announce them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pycom_core.messages import Attachment

#: The property of the handshake by which they know each other.
OURS = "X-PyCOM"
#: Its value: what this side understands.
UNDERSTANDS = b"cancel"

_CANCEL = b"CANCEL"


def understands_cancel(metadata: Mapping[str, bytes]) -> bool:
    """Tell whether a peer with these properties can be told to cancel a call."""
    return b"cancel" in metadata.get(OURS, b"").split(b",")


def cancel(correlation: bytes) -> list[Attachment]:
    """The message that takes a call back: nobody waits for its reply."""
    return [correlation, b"", _CANCEL, b"{}"]


def cancelled(message: Sequence[Attachment]) -> bytes | None:
    """The id of the call that a message takes back; None: it is another message."""
    if len(message) > 2 and message[2] == _CANCEL and message[1] == b"":
        return bytes(message[0])
    return None
