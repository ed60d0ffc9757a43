"""Asking nameservers: the first replica that answers, by the methods that it has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from pycom_core import constants
from pycom_core._copying import refused
from pycom_core.client._client import Client
from pycom_core.client._component import BaseComponent
from pycom_core.errors import (
    MethodNotFound,
    ServiceNotAvailable,
    ServiceNotFound,
)
from pycom_core.messages import Request
from pycom_core.records import ServiceRecord

if TYPE_CHECKING:
    from pycom_core.client._context import Context
    from pycom_core.runtime._runtime import Runtime


class NoNameserver(ServiceNotFound):
    """No replica answers: nothing new is known of services, and nothing old is wrong."""


def detect_ns(host: str) -> Client:
    """The nameserver at an address, after it has answered.

    Raises `ServiceNotFound` if it does not, `ConfigurationError` if that is no address.
    """
    component = Client(host, constants.NS_INTERFACE)
    try:
        component.invoke(constants.NS_METHOD_STAT)
    except BaseException as error:
        component.close()
        if isinstance(error, ServiceNotAvailable):
            raise ServiceNotFound(f"No nameserver answers at {host}") from error
        raise
    return component


class Nameserver(BaseComponent):
    """The nameserver of a context: one of several replicas, or the one in this process."""

    def __init__(self, context: Context) -> None:
        # Not as a component of the context: credentials and hooks are not for nameservers.
        super().__init__(constants.NS_INTERFACE)
        self._owner = context

    __reduce__ = refused("its context, which gives it, can be")

    def invoke_with_request(self, request: Any, timeout: float | None = None) -> Any:
        """Call the replica that answered last, and the others if it does not answer now.

        The timeout (ms) is for all of them together. Raises `ServiceNotFound` if none answers.
        """
        replicas = self._owner.nameservers
        share = self._owner.share(self._timeout if timeout is None else timeout)
        problems: list[str] = []
        for address in list(replicas):
            try:
                return self._replica(address).invoke_with_request(request, share)
            except ServiceNotAvailable as error:
                problems.append(str(error))
                pass_over(replicas, address)
        raise NoNameserver("No nameserver answers: " + "; ".join(problems))

    def _replica(self, address: str) -> Client:
        address = address_of(self._owner.runtime, address)
        return Client(address, constants.NS_INTERFACE, pool=self._owner.pool)

    def find(self, interface: str, service: str | None = None) -> list[ServiceRecord]:
        """All live providers. Raises `ServiceNotFound` if there is none."""
        try:
            found = self.invoke(constants.NS_METHOD_FIND, find_arguments(interface, service))
        except MethodNotFound:  # a nameserver of 0.6.0
            found = self.invoke(
                constants.NS_METHOD_LIST_SERVICES, list_arguments(interface, service)
            )
        return records_from(found, interface)


def pass_over(replicas: list[str], address: str) -> None:
    """Put a replica at the end: the next call begins with one that may be alive."""
    # Of a copy, and at one stroke: other threads look at the list and reorder it meanwhile.
    replicas[:] = sorted(replicas, key=address.__eq__)


def address_of(runtime: Runtime, nameserver: str) -> str:
    """The address that stands for a nameserver. Raises `ServiceNotAvailable`."""
    if nameserver != constants.NS_NAME_LOCAL:
        return nameserver
    server = runtime.server_of(constants.NS_INTERFACE)
    if server is None:
        raise ServiceNotAvailable(
            "no nameserver runs in this process; name the address of one in the configuration, "
            "in PYCOM_NAMESERVER, or with -n on the command line"
        )
    return server.addresses[0]


def request(method: str, arguments: Any) -> Request:
    """A request to a nameserver."""
    return Request(constants.NS_INTERFACE, method, args=arguments)


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
