"""The file `network.toml`: what every program of a network knows. It holds no secret."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import attrs
import msgspec

from pycom_core import ConfigurationError
from pycom_core.addresses import checked, is_wildcard, tcp
from pycom_plugins.security import files, names
from pycom_plugins.security.documents import converted
from pycom_plugins.security.keys import check_public, public_bytes

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_ABOUT = "What the programs of a network have to know. It is public: give it to all of them."


def _check_addresses(_instance: object, _attribute: object, values: tuple[str, ...]) -> None:
    if not values:
        raise ValueError("nameserver: name at least one address")
    for value in values:
        problem = address_problem(value)
        if problem is not None:
            raise ValueError(f"nameserver: {problem}")


def _check_pins(_instance: object, _attribute: object, pins: Mapping[str, str]) -> None:
    for interface, key in pins.items():
        try:
            public_bytes(key)
        except ValueError as error:
            raise ValueError(f"pins.{interface}: {error}") from None


@attrs.frozen
class Network:
    """The nameserver of a network, and the keys that it and others have to prove. In Z85."""

    name: str = attrs.field(validator=names.check)
    nameserver: tuple[str, ...] = attrs.field(validator=_check_addresses)  #: replicas
    key: str = attrs.field(validator=check_public)  #: that the nameserver proves
    next_key: str = attrs.field(validator=check_public)  #: that it proves after a rotation
    #: Interface → the key of the only one who provides it.
    pins: Mapping[str, str] = attrs.field(factory=dict, validator=_check_pins)


def address_problem(address: str) -> str | None:
    """Say why no program can reach a nameserver at an address, or None if it may."""
    try:
        checked(address)
    except ConfigurationError as error:
        return str(error)
    parts = tcp(address)
    if parts is None and not address.startswith("ipc://"):
        return f"{address!r} is no address of a nameserver; write tcp://HOST:PORT or ipc://PATH"
    if parts is not None and is_wildcard(parts.host):
        return f"{address!r} is for listening; name the host that programs connect to"
    return None


def read(path: str) -> Network:
    """Read the file. Raises `ConfigurationError`."""
    raw = files.read(path, files.PUBLIC)
    try:
        data = tomllib.loads(raw.decode())
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    return converted(path, data, Network)


def create(path: str, network: Network) -> None:
    """Write the file anew. Raises `ConfigurationError` if it exists."""
    files.create(path, lambda: _toml(network), files.PUBLIC)


def replace(path: str, network: Network) -> None:
    """Write the file in place of an older one. Raises `ConfigurationError`."""
    files.replace(path, lambda: _toml(network), files.PUBLIC)


def _toml(network: Network) -> bytes:
    lines = [f"# {_ABOUT}"]
    table = attrs.asdict(network)
    pins = table.pop("pins")
    lines += [f"{name} = {_value(value)}" for name, value in table.items()]
    lines += ["", "[pins]"]
    lines += [f"{_value(name)} = {_value(key)}" for name, key in pins.items()]
    return "\n".join([*lines, ""]).encode()


def _value(value: Any) -> str:
    # Texts and lists of JSON are also such of TOML, but for one character that JSON may leave bare.
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
