"""The reports of a connection. A message is the plain list of its frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from pycom_core.messages import Attachment

Message: TypeAlias = list[Attachment]


@attrs.frozen
class Ready:
    """The handshake is done; messages may be sent."""

    socket_type: str
    routing_id: bytes
    metadata: Mapping[str, bytes]  #: all properties of the peer; names in any case
    key: bytes | None  #: public key of the peer, where the connection is encrypted
    version: tuple[int, int]  #: of ZMTP, as the peer announced it


@attrs.frozen
class Ping:
    """The peer asked for a sign of life; the PONG is in `outgoing()` already."""

    ttl: int  #: tenths of a second without traffic after which the peer may be dropped; 0: never
    context: bytes


@attrs.frozen
class Pong:
    """The peer answered a PING."""

    context: bytes


@attrs.frozen
class TooBig:
    """A message announced more than it may; nothing more is taken from this connection."""

    frames: Message  #: those that came before the one that is too much
    size: int  #: bytes of the message, as far as they were announced
    problem: str  #: for example "it has a frame of 101 bytes"
    limit: int | None  #: bytes that are taken; None: it is not their number that is too large


Event: TypeAlias = Message | Ready | Ping | Pong | TooBig
