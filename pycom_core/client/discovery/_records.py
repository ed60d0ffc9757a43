"""Records in the requests to nameservers and in their answers."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from pycom_core.errors import ServiceNotAvailable, ServiceNotFound
from pycom_core.records import ServiceRecord


class NoNameserver(ServiceNotFound):
    """No replica answers, so that what is known of services can still be right."""


def find_arguments(interface: str, service: str | None) -> dict[str, Any]:
    """Return the arguments of `find`."""
    return {"interface": interface, "service": service}


def list_arguments(interface: str, service: str | None) -> dict[str, Any]:
    """Return arguments of `list_services` that find the same."""
    return {
        "interface": f"{re.escape(interface)}$",
        "service": None if service is None else f"{re.escape(service)}$",
    }


class _Received(msgspec.Struct):
    """A record on the wire."""

    service: str
    address: str
    interfaces: list[str]
    metadata: dict[str, Any] | None = None


def records_from(found: Any, interface: str) -> list[ServiceRecord]:
    """Read records as nameservers send them.

    Raises `ServiceNotFound` if there is none, `ServiceNotAvailable` for a malformed one.
    """
    if not found:
        raise ServiceNotFound(f"Service with interface {interface!r} not found")
    try:
        received = msgspec.convert(found, list[_Received])
    except msgspec.ValidationError as error:
        raise ServiceNotAvailable(f"The nameserver sent no records: {found!r:.200}") from error
    return [
        ServiceRecord(one.service, one.address, one.interfaces, one.metadata or {})
        for one in received
    ]
