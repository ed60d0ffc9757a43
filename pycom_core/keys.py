"""The keys of encrypted connections: a process's own, and those that it trusts.

Keys are those of Curve25519, 32 bytes each. As text they are Z85 (RFC 32), 40 characters.
"""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod

import attrs

_Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_B85 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_TO_Z85, _FROM_Z85 = bytes.maketrans(_B85, _Z85), bytes.maketrans(_Z85, _B85)
_SIZE, _CHARACTERS = 32, 40


@attrs.frozen
class KeyPair:
    """A public key, and the secret that proves it."""

    public: bytes
    secret: bytes = attrs.field(repr=False)


class Keys(ABC):
    """The keys that a runtime gives to its transports."""

    @property
    @abstractmethod
    def own(self) -> KeyPair:
        """The keys that this process proves itself by now."""

    @abstractmethod
    def of_server(self, address: str) -> bytes:
        """Return the key that the server of an address has to prove.

        Raises `ServiceNotAvailable` if none is known: nothing is sent to a server that anybody
        may be.
        """


def as_text(key: bytes) -> str:
    """Return a key as Z85."""
    return base64.b85encode(key).translate(_TO_Z85).decode()


def from_text(text: str) -> bytes:
    """Return the key that a text stands for. Raises ValueError for a text that is no key."""
    try:
        plain = text.encode("ascii")
        if len(plain) != _CHARACTERS or plain.translate(None, _Z85):
            raise ValueError
        return base64.b85decode(plain.translate(_FROM_Z85))
    except ValueError:
        raise ValueError(f"a key has {_CHARACTERS} characters of Z85 (RFC 32)") from None
