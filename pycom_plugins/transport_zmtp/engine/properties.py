"""The metadata that peers exchange: names of any case, values of bytes (RFC 37)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pycom_plugins.transport_zmtp.engine.errors import ProtocolError

_MOST = 64
_NAME = re.compile(r"[A-Za-z0-9_.+-]{1,255}", re.ASCII)


class Properties(Mapping[str, bytes]):
    """Properties of a peer. Names are found in any case."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, bytes]) -> None:
        self._values = {name.lower(): value for name, value in values.items()}

    def __getitem__(self, name: str) -> bytes:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Properties({self._values})"


def encode(values: Mapping[str, bytes]) -> bytes:
    """The properties as a command carries them. Raises ValueError for names that cannot be sent."""
    parts: list[bytes] = []
    for name, value in values.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"A property cannot be named {name!r}")
        parts += bytes((len(name),)), name.encode(), len(value).to_bytes(4, "big"), value
    return b"".join(parts)


def decode(data: bytes) -> Properties:
    """Parse properties. Raises `ProtocolError`; `data` has been bounded by its command."""
    values: dict[str, bytes] = {}
    position = 0
    while position < len(data):
        begin = position + 1
        end = begin + data[position]
        name = data[begin:end].decode("latin-1")
        position = end + 4 + int.from_bytes(data[end : end + 4], "big")
        if end + 4 > len(data) or position > len(data):
            raise ProtocolError("the metadata of the peer is cut off")
        if not _NAME.fullmatch(name):
            raise ProtocolError(f"the metadata of the peer has a property named {name!r}")
        if name.lower() in values:
            raise ProtocolError(f"the metadata of the peer has {name} twice")
        values[name.lower()] = data[end + 4 : position]
    if len(values) > _MOST:
        raise ProtocolError(f"the metadata of the peer has more than {_MOST} properties")
    return Properties(values)
