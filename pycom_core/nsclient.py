"""Asking nameservers: the first replica that answers, by the methods that it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pycom_core import constants
from pycom_core.client import Client
from pycom_core.components import BaseComponent
from pycom_core.errors import (
    MethodNotFound,
    PycomError,
    ServiceNotAvailable,
    ServiceNotFound,
)
from pycom_core.records import ServiceRecord

if TYPE_CHECKING:
    from pycom_core.context import Context


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

    def __init__(self, context: Context, addresses: Sequence[str]) -> None:
        # Not the context itself: credentials and hooks are not for nameservers.
        super().__init__(constants.NS_INTERFACE)
        self._owner = context
        self.addresses = list(addresses)
        self._finds: dict[str, bool] = {}

    def invoke_with_request(self, request: Any, timeout: float | None = None) -> Any:
        """Call the replica that answered last, and the others if it does not answer now.

        The timeout (ms) is for all of them together. Raises `ServiceNotFound` if none answers.
        """
        share = (self._owner.timeout if timeout is None else timeout) / len(self.addresses)
        problems: list[str] = []
        for address in list(self.addresses):
            try:
                response = self._replica(address).invoke_with_request(request, share)
            except (ServiceNotAvailable, ServiceNotFoundHere) as error:
                problems.append(str(error))
                # The next call begins with one that may be alive.
                self.addresses.remove(address)
                self.addresses.append(address)
            else:
                return response
        raise ServiceNotFound("No nameserver answers: " + "; ".join(problems))

    def _replica(self, address: str) -> Client:
        runtime = self._owner.runtime
        if address == constants.NS_NAME_LOCAL:
            server = runtime.server_of(constants.NS_INTERFACE)
            if server is None:
                raise ServiceNotFoundHere(
                    'no nameserver runs in this process (nameserver="local" is the default; '
                    "name the address of one)"
                )
            address = server.addresses[0]
        return Client(address, constants.NS_INTERFACE, context=self._owner.plain)

    def find(self, interface: str, service: str | None = None) -> list[ServiceRecord]:
        """All live providers, or the one that an old nameserver picks. Raises `ServiceNotFound`."""
        arguments = {"interface": interface, "service": service}
        try:
            found = self.invoke(constants.NS_METHOD_FIND, arguments)
        except MethodNotFound:
            found = [self.invoke(constants.NS_METHOD_LOCATE, arguments)]
        if not found:
            raise ServiceNotFound(f"Service with interface {interface!r} not found")
        return [record_from_dict(item) for item in found]


class ServiceNotFoundHere(PycomError):
    """There is no nameserver in this process."""


def record_from_dict(data: Any) -> ServiceRecord:
    """Read a record as nameservers send it. Raises `ServiceNotAvailable` if it is none."""
    try:
        return ServiceRecord(
            data["service"], data["address"], tuple(data["interfaces"]), data.get("metadata") or {}
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ServiceNotAvailable(f"The nameserver sent no record but {data!r:.200}") from error
