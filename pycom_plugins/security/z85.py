"""Z85: bytes as printable text, five characters for every four bytes (ZeroMQ's RFC 32).

pyzmq has it as well, but to import that loads libzmq, which costs 100 ms, and which a process on
the transport `zmtp` does not need.
"""

from __future__ import annotations

from typing import Final

_DIGITS: Final = (
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
)
_VALUES: Final = {digit: value for value, digit in enumerate(_DIGITS)}
_POWERS: Final = tuple(85**power for power in (4, 3, 2, 1, 0))


def encode(raw: bytes) -> str:
    """Return bytes as text. Raises ValueError unless their number is a multiple of four."""
    if len(raw) % 4:
        raise ValueError(f"Z85 is for a multiple of 4 bytes, not for {len(raw)}")
    words = (int.from_bytes(raw[at : at + 4], "big") for at in range(0, len(raw), 4))
    return "".join(_DIGITS[word // power % 85] for word in words for power in _POWERS)


def decode(text: str) -> bytes:
    """Return the bytes of a text; no two texts stand for the same bytes.

    Raises ValueError, which does not show the text: it may be a secret.
    """
    if len(text) % 5:
        raise ValueError(f"Z85 has a multiple of 5 characters, not {len(text)}")
    if not _VALUES.keys() >= set(text):
        raise ValueError("a character in it is not one of Z85")
    words = [_word(text[at : at + 5]) for at in range(0, len(text), 5)]
    if any(word >> 32 for word in words):
        raise ValueError("five characters of it stand for more than four bytes can hold")
    return b"".join(word.to_bytes(4, "big") for word in words)


def _word(group: str) -> int:
    return sum(_VALUES[digit] * power for digit, power in zip(group, _POWERS, strict=True))
