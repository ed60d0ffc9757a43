"""Records, as nameservers are asked for them and send them."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from pycom_core.errors import ServiceNotAvailable, ServiceNotFound
from pycom_core.records import ServiceRecord


class NoNameserver(ServiceNotFound):
    """No replica answers: nothing new is known of services, and nothing old is wrong."""


def find_arguments(interface: str, service: str | None) -> dict[str, Any]:
    """Arguments of `find`."""
    return {"interface": interface, "service": service}


def list_arguments(interface: str, service: str | None) -> dict[str, Any]:
    """Arguments of `list_services` that find the same."""
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

    Raises `ServiceNotFound` if there is none, `ServiceNotAvailable` for what is no record.
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
