"""The advertised address: one by which others reach the bound address of a service."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from pycom_core import addresses
from pycom_core.addresses import Tcp, is_loopback, is_wildcard
from pycom_core.errors import ConfigurationError
from pycom_core.log import logger

#: Addresses of nobody (RFC 5737, RFC 3849), whose route is the one to the rest of the world.
_FAR_AWAY = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
_LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


def check(advertise: str) -> None:
    """Raise `ConfigurationError` for a setting `advertise` that others cannot connect to."""
    if "://" not in advertise:
        raise ConfigurationError(
            f"advertise is {advertise!r}, which is no address; write tcp://HOST:PORT"
        )
    parts = addresses.tcp(addresses.checked(advertise, listening=True))
    if parts is not None and (is_wildcard(parts.host) or parts.port == "0"):
        raise ConfigurationError(
            f"advertise is {advertise!r}, which others cannot connect to; name a host and a port, "
            "or * for the port that is bound"
        )


def advertised(bound: str, nameserver: str, advertise: str | None = None) -> str:
    """Return the address by which clients of a nameserver reach a bound address.

    That is `advertise` if it is set; its port may be `*`, for the bound one. Otherwise it is the
    bound address itself. If that stands for all addresses of this host, it is the one that faces
    the nameserver.
    """
    parts = addresses.tcp(bound)
    if advertise is not None:
        told = addresses.tcp(advertise)
        if told is None or told.port != "*" or parts is None:
            return addresses.absolute(advertise)
        return str(attrs.evolve(told, port=parts.port))
    if parts is None or not is_wildcard(parts.host):
        return bound
    families = [socket.AF_INET]
    if ":" in parts.host:  # which IPv4 reaches as well
        families.append(socket.AF_INET6)
    return str(Tcp(_host_towards(nameserver, families), parts.port))


def advertised_to(
    nameservers: Sequence[str], bound: str, advertise: str | None = None
) -> dict[str, str]:
    """Return the address to advertise to each replica of a nameserver.

    Replicas may share their records. So one on this host gets no loopback address if another
    replica gets an address that other hosts can reach.
    """
    told = {nameserver: advertised(bound, nameserver, advertise) for nameserver in nameservers}
    far = [address for address in told.values() if not is_loopback(address)]
    return {
        nameserver: far[0] if far and is_loopback(address) else address
        for nameserver, address in told.items()
    }


def own_addresses(bound: str) -> list[str]:
    """Return the addresses by which a process reaches its own bound addresses."""
    parts = addresses.tcp(bound)
    if parts is None or not is_wildcard(parts.host):
        return [bound]
    return [bound, *(str(Tcp(host, parts.port)) for host in ("localhost", *_LOOPBACK.values()))]


def _host_towards(nameserver: str, families: list[socket.AddressFamily]) -> str:
    parts = addresses.tcp(nameserver)
    if parts is not None and not is_wildcard(parts.host):
        for host in _sources(parts.host, families):
            return host
    for family in families:
        for host in _sources(_FAR_AWAY[family], [family]):
            return host
    for host in _named(families):
        return host
    loopback = _LOOPBACK[families[0]]
    logger().warning(
        "This host has no route to others: nameserver %s is told %s, unless `advertise` is set",
        nameserver,
        loopback,
    )
    return loopback


def _sources(host: str, families: list[socket.AddressFamily]) -> Iterator[str]:
    """Return the addresses of this host from which its routes to another host start."""
    for family, place in _lookup(host, families):
        # Connecting a datagram socket sends nothing: it asks the system for its route.
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(place)
            except OSError:
                continue
            yield probe.getsockname()[0]


def _named(families: list[socket.AddressFamily]) -> Iterator[str]:
    """Return the addresses that this host's own name stands for, except loopback."""
    for _, place in _lookup(socket.gethostname(), families):
        host = str(place[0])
        if not host.startswith("127.") and host != "::1":
            yield host


def _lookup(
    host: str, families: list[socket.AddressFamily]
) -> list[tuple[socket.AddressFamily, Any]]:
    try:
        found = socket.getaddrinfo(host, 1, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return []
    return [(family, place) for family, _, _, _, place in found if family in families]
