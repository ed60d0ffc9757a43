"""A security mechanism: its part of the handshake, and how it seals traffic."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from pycom_core.messages import Attachment
from pycom_plugins.transport_zmtp.engine.properties import Properties


class Mechanism(ABC):
    """One security handshake, and the state that it leaves; made anew for each connection."""

    name: ClassVar[str]
    #: The `as-server` field of the greeting.
    as_server: ClassVar[bool] = False
    #: Whether this side may say ERROR to the peer.
    may_refuse: ClassVar[bool] = True
    #: Bytes that sealing adds to a frame; 0: frames travel as they are, nothing is sealed.
    overhead: ClassVar[int] = 0

    #: The public key of the peer, once it is proved.
    key: bytes | None = None
    #: The metadata of the peer; the handshake is done when it is known.
    properties: Properties | None = None
    #: This side's last command was handed out: ERROR would come too late.
    accepted = False

    @abstractmethod
    def begin(self, metadata: bytes, as_server: bool) -> Sequence[bytes]:
        """Start, after the greetings, with one's own encoded metadata; return commands to send.

        `as_server`: this side was connected to.
        """

    @abstractmethod
    def step(self, command: bytes) -> Sequence[bytes]:
        """Take a command of the peer; return commands to send. Raises `ProtocolError`."""

    def seal(self, frames: Sequence[Attachment]) -> list[Attachment]:
        """One message as buffers to send."""
        raise NotImplementedError

    def seal_command(self, body: bytes) -> bytes:
        """A command as bytes to send."""
        raise NotImplementedError

    def unseal(self, flags: int, body: bytes | memoryview) -> tuple[int, bytes | memoryview]:
        """The flags and the body of the frame that a frame hides. Raises `ProtocolError`."""
        raise NotImplementedError
