"""Keys of Curve25519 (RFC 7748), which CURVE proves and encrypts with: 32 bytes, written in Z85."""

from __future__ import annotations

import os
from typing import Final, NoReturn

import attrs

from pycom_core.keys import as_text, from_text

_SIZE: Final = 32
_LENGTH: Final = 40
_PRIME: Final = 2**255 - 19
#: Points of small order: who knows no secret at all shares one with them (cr.yp.to/ecdh.html).
_SMALL: Final = frozenset(
    {
        0,
        1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
        _PRIME - 1,
    }
)


class Secret:
    """The secret half of a key. Nothing that prints, copies or stores objects shows it."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    @classmethod
    def parse(cls, text: str) -> Secret | None:
        """Read a secret in Z85; None if it is none.

        That is no exception, as the frames of one would hold the text.
        """
        if len(text) != _LENGTH:
            return None
        try:
            return cls(from_text(text))
        except ValueError:
            return None

    def reveal(self) -> bytes:
        """The 32 bytes. Keep them in no variable longer than needed."""
        return self._raw

    def __repr__(self) -> str:
        return "<a secret key>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret key is neither copied nor pickled; pass the name of its file on")


@attrs.frozen
class KeyPair:
    """A key of one's own. Its public half, in Z85, is how others know its owner."""

    public: str
    secret: Secret = attrs.field(eq=False, repr=False)

    @classmethod
    def of(cls, secret: Secret) -> KeyPair:
        """Derive the public half."""
        from nacl import bindings  # loads libsodium

        return cls(as_text(bindings.crypto_scalarmult_base(secret.reveal())), secret)

    @classmethod
    def new(cls) -> KeyPair:
        """Make a key, from the randomness of the system.

        X25519 ignores the last bit of a secret (RFC 7748, section 5), and no public key has it. It
        is set in ours, so that one that is given as a public key is recognised.
        """
        raw = bytearray(os.urandom(_SIZE))
        raw[-1] |= 0x80
        return cls.of(Secret(bytes(raw)))


def public_bytes(text: str) -> bytes:
    """Return the 32 bytes of a public key in Z85.

    Raises ValueError for anything that is none. It does not show the text, which may be a secret
    that was taken for the other half.
    """
    if len(text) != _LENGTH:
        raise ValueError(f"a public key is {_LENGTH} characters of Z85, not {len(text)}")
    raw = from_text(text)
    number = int.from_bytes(raw, "little")
    if number >> 255:
        raise ValueError(
            "no public key looks like this, but secret keys do. If it is one, others may have seen "
            "it by now: make a new key"
        )
    # Others than these would be second texts for the same key, or open to everyone.
    if number >= _PRIME or number in _SMALL:
        raise ValueError("no key has this public half")
    return raw


def check_public(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    """Check a public key in a field of a data class. Raises ValueError that names the field."""
    try:
        public_bytes(value)
    except ValueError as error:
        raise ValueError(f"{attribute.name}: {error}") from None
