"""The peer that a client says it is in the handshake, and whether it may stay."""

from __future__ import annotations

from collections.abc import Callable

from pycom_core import AccessDenied, keys, logger
from pycom_core.messages import Peer
from pycom_plugins.transport_zmtp.engine import Ready

#: Characters of a reason that go into the log.
_SHOWN = 300


def introduced(address: str, ready: Ready) -> Peer:
    """Return the peer at an address that has finished its handshake."""
    key = None if ready.key is None else keys.as_text(ready.key)
    metadata = {
        name: value.decode("utf-8", "backslashreplace") for name, value in ready.metadata.items()
    }
    return Peer(address, key, metadata)


def refusal(admit: Callable[[Peer], None], peer: Peer) -> str | None:
    """Return what a peer is told that may not stay; None: it may.

    `admit` raises `AccessDenied` if it is not welcome. Whatever else it raises stays here.
    """
    try:
        admit(peer)
    except AccessDenied as error:
        reason = str(error)
        shown = reason if reason.isprintable() else ascii(reason)
        logger().info("%s is refused: %.*s", peer.address, _SHOWN, shown)
        return reason
    except Exception:
        logger().exception("%s is refused: a plugin failed", peer.address)
        return "Access denied"
    return None
