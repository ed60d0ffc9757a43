"""Addresses: their syntax, for servers that listen and for clients that connect."""

from __future__ import annotations

import ipaddress
import os
import re
import socket

import attrs

from pycom_core.errors import ConfigurationError

#: The source of a connection may stand before its destination: tcp://SOURCE;HOST:PORT.
_TCP = re.compile(r"tcp://(?:[^;]*;)?(\[[^\[\]]+\]|[^\[\]:/;@\s]+):([^:;]*)")
_IPC = "ipc://"
#: The key that its server has to prove may stand behind an address, as Z85: ADDRESS#KEY.
_KEYED = re.compile(r"(.+)#([0-9A-Za-z.:+=^!/*?&<>()\[\]{}@%$#-]{40})")


@attrs.frozen
class Tcp:
    """The parts of a TCP address; an IPv6 host has no brackets here."""

    host: str
    port: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"


def tcp(address: str) -> Tcp | None:
    """Return the parts of a TCP address, or None for any other address."""
    found = _TCP.fullmatch(address)
    return None if found is None else Tcp(found[1].strip("[]"), found[2])


def with_key(address: str, key: str) -> str:
    """Return an address whose server has to prove a key, given as Z85."""
    return f"{address}#{key}"


def parted(address: str) -> tuple[str, str | None]:
    """Return an address without the key that its server has to prove, and that key, if any."""
    found = _KEYED.fullmatch(address) if "#" in address else None
    return (address, None) if found is None else (found[1], found[2])


def is_wildcard(host: str) -> bool:
    """Tell whether a host means all addresses of a machine, in any spelling."""
    try:
        numeric = ipaddress.ip_address(host if ":" in host else socket.inet_aton(host))
    except (OSError, ValueError):
        return host == "*"
    mapped = getattr(numeric, "ipv4_mapped", None)
    return (mapped or numeric).is_unspecified


def is_loopback(address: str) -> bool:
    """Tell whether a TCP address is a loopback address, which only this host can reach."""
    parts = tcp(address)
    try:
        return parts is not None and ipaddress.ip_address(parts.host).is_loopback
    except ValueError:
        return False


def checked(address: str, listening: bool = False) -> str:
    """Return an address to connect to or to listen on, in a form for every working directory.

    Raises `ConfigurationError` for an address that is visibly wrong.
    """
    problem = _problem(address, listening)
    if problem is not None:
        raise ConfigurationError(f"Invalid address {address!r}: {problem}")
    return absolute(address)


def absolute(address: str) -> str:
    """Return the same address, with an absolute path if it is a Unix socket."""
    path = address.removeprefix(_IPC)
    if path == address or not path or path.startswith(("/", "@", "*")):
        return address
    return _IPC + os.path.abspath(path)


def _problem(address: str, listening: bool) -> str | None:
    if re.search(r"[\0-\x1f]", address):
        return "it contains a control character"
    if not address.startswith("tcp://"):
        return None
    parts = tcp(address)
    if parts is None or (listening and ";" in address):
        return "write tcp://HOST:PORT, with an IPv6 host in brackets as in tcp://[::1]:2013"
    if not _is_port(parts.port, listening):
        free = ", or * for a free one" if listening else ""
        return f"a port is a number from 1 to 65535{free}"
    if parts.host == "*" and not listening:
        return "* is for listening; name a host"
    return None if _is_host(parts.host) else f"{parts.host!r} is no host"


def _is_port(port: str, listening: bool) -> bool:
    if listening and port == "*":
        return True
    number = int(port) if re.fullmatch("[0-9]{1,5}", port) else -1
    return (0 if listening else 1) <= number <= 65_535


def _is_host(host: str) -> bool:
    try:
        if ":" in host:
            socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
        elif re.fullmatch(r"[0-9.]+", host):  # no name looks like this
            socket.inet_aton(host)
        else:
            host.encode("idna")  # as a look-up does; labels have 1 to 63 characters
    except (OSError, UnicodeError):
        return False
    return True
