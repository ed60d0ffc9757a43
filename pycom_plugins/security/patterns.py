"""Patterns for what a member may register.

In paths of services and names of interfaces `*` stands for any text, `?` for one character and
`[seq]` for one of several, as in the rules for roles. In addresses a wildcard stays in its part: a
label of a host, a port, a folder of a path.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
import socket
from fnmatch import fnmatchcase
from typing import Final

from pycom_core import ConfigurationError
from pycom_core.addresses import Tcp, checked, is_wildcard, tcp

_RESERVED: Final = "org.pycom"
_WILDCARD: Final = re.compile(r"[*?[]")
#: Four numbers, or wildcards in place of some.
_IPV4: Final = re.compile(r"[0-9*?]+(?:\.[0-9*?]+){3}")
_IPC: Final = "ipc://"
_ANY: Final = Tcp("*", "*")


def matches_path(pattern: str, path: str) -> bool:
    """Tell whether a pattern allows the path of a service."""
    return path.isprintable() and fnmatchcase(path, pattern)


def matches_interface(pattern: str, interface: str) -> bool:
    """Tell whether a pattern allows an interface. Those of PyCOM itself need their own name."""
    if is_reserved(interface):
        return pattern == interface
    return interface.isprintable() and fnmatchcase(interface, pattern)


def is_reserved(interface: str) -> bool:
    """Tell whether an interface is one of PyCOM itself, which no wildcard stands for."""
    return interface == _RESERVED or interface.startswith(f"{_RESERVED}.")


def matches_address(pattern: str, address: str) -> bool:
    """Tell whether a pattern allows an address to connect to, tcp or ipc; never another kind."""
    if address.startswith(_IPC):
        return pattern.startswith(_IPC) and _matches_file(
            pattern.removeprefix(_IPC), address.removeprefix(_IPC)
        )
    wanted, given = _tcp_pattern(pattern), tcp(address)
    return (
        wanted is not None
        and given is not None
        and _is_plain(address, given.host)
        and wanted.port in ("*", given.port)
        and _matches_host(wanted.host, given.host)
    )


def _matches_file(pattern: str, path: str) -> bool:
    return _is_plain_path(path) and _matches_each(pattern[1:].split("/"), path[1:].split("/"))


def _is_plain_path(path: str) -> bool:
    """Tell whether a path is absolute and in its shortest form. Abstract sockets have none."""
    is_absolute = path.startswith("/") and not path.startswith("//")
    return is_absolute and path.isprintable() and posixpath.normpath(path) == path


def _tcp_pattern(pattern: str) -> Tcp | None:
    return _ANY if pattern == "*" else tcp(pattern)


def _is_plain(address: str, host: str) -> bool:
    """Tell whether an address names one place, in the only spelling that patterns know."""
    try:
        checked(address)
    except ConfigurationError:
        return False
    if ";" in address or not address.isascii() or is_wildcard(host):
        return False
    return ":" in host or not _is_number(host) or _is_ipv4(host)


def _is_number(host: str) -> bool:
    try:
        socket.inet_aton(host)  # which takes 127.1, 0x7f.0.0.1 and 2130706433 for addresses too
    except OSError:
        return False
    return True


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _matches_host(pattern: str, host: str) -> bool:
    if pattern == "*":
        return True
    if ":" in pattern or ":" in host:
        return _same_ipv6(pattern, host)
    if _IPV4.fullmatch(pattern) and not _is_ipv4(host):
        return False
    return _matches_each(pattern.lower().split("."), host.lower().split("."))


def _same_ipv6(one: str, other: str) -> bool:
    try:
        return ipaddress.IPv6Address(one) == ipaddress.IPv6Address(other)
    except ValueError:
        return False


def _matches_each(patterns: list[str], parts: list[str]) -> bool:
    return len(patterns) == len(parts) and all(parts) and all(map(fnmatchcase, parts, patterns))


def path_problem(pattern: str) -> str | None:
    """Say why a text is no pattern of paths, or None if it is one."""
    return None if _is_text(pattern) else f"{pattern!r:.100} is no pattern of paths"


def interface_problem(pattern: str) -> str | None:
    """Say why a text is no pattern of interfaces, or None if it is one."""
    if not _is_text(pattern):
        return f"{pattern!r:.100} is no pattern of interfaces"
    if is_reserved(pattern) and _WILDCARD.search(pattern):
        return f"{pattern!r} matches nothing: name each interface of {_RESERVED} by itself"
    return None


def address_problem(pattern: str) -> str | None:
    """Say why a text is no pattern of addresses, or None if it is one."""
    parts = _tcp_pattern(pattern)
    if pattern.startswith(_IPC) and _is_plain_path(pattern.removeprefix(_IPC)):
        return None
    if parts is None or ";" in pattern or not pattern.isascii():
        return (
            f"{pattern!r:.100} is no pattern of addresses; write tcp://HOST:PORT, "
            "ipc:///FOLDER/FILE, or * for tcp://*:*"
        )
    if parts.port != "*" and not re.fullmatch(r"[1-9][0-9]{0,4}", parts.port):
        return f"{pattern!r}: a port is a number or *"
    return _host_problem(pattern, parts.host)


def _host_problem(pattern: str, host: str) -> str | None:
    labels = host.split(".")
    if ":" in host and not _same_ipv6(host, host):
        return f"{pattern!r}: write an IPv6 host in full; a wildcard stands for a label, or for all"
    if len(labels) > 1 and _WILDCARD.search(labels[-1]) and not _IPV4.fullmatch(host):
        return (
            f"{pattern!r}: a wildcard stands for one label of a host, and the last one needs to be "
            "known. Write 10.0.*.* for numbers, *.example.com for names, * alone for any host"
        )
    return None


def _is_text(pattern: str) -> bool:
    return bool(pattern) and pattern.isprintable()
