"""The service through which others are found."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pycom_core import (
    BadRequest,
    Balancer,
    NameserverBackend,
    Request,
    ServiceNotFound,
    ServiceRecord,
    constants,
    interface,
    logger,
    method,
)
from pycom_plugins.nameserver import patterns

if TYPE_CHECKING:
    from pycom_core import Runtime

TTL = constants.NS_SERVICE_TIMEOUT / 1000  # s
#: Addresses that other programs can connect to; a wildcard is for binding only.
_ENDPOINT = re.compile(
    r"tcp://(?:(?!\*)[^\s/:\[\]]+|\[[^\s\]]+\]):(?P<port>[1-9][0-9]{0,4})|(?:ipc|inproc)://[^\s]+"
)
_SERVICE = re.compile(r"/?[^\s/]+(?:/[^\s/]+)*")
_INTERFACE = re.compile(r"[^\s.]+(?:\.[^\s.]+)*")
_LONGEST_NAME = 1024


@interface(constants.NS_INTERFACE, authentication="never")
class NameServer:
    """Knows which services are there, and which interfaces they provide."""

    introspection_data: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self) -> None:
        self._backend: NameserverBackend
        self._balancer: Balancer

    def open(self, runtime: Runtime) -> None:
        """Use the backend and the balancer that the configuration names."""
        self._backend = runtime.guarded("nameserver_backend")
        self._balancer = runtime.guarded("balancer")

    @method(constants.NS_METHOD_STAT)
    async def stat(self, request: Request) -> dict[str, Any]:
        """Answer, to show that the nameserver is there."""
        return {}

    @method(constants.NS_METHOD_REGISTER)
    async def register(
        self,
        request: Request,
        address: str,
        interfaces: list[str],
        service: str,
        metadata: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Register a service for 60 seconds, or renew its registration."""
        _check("address", address, _is_endpoint, "a 0MQ endpoint such as tcp://10.0.0.1:2013")
        _check("service", service, _SERVICE.fullmatch, "a name such as /com/foo/service")
        if type(interfaces) is not list:
            raise _wrong_type("interfaces", interfaces, "list")
        for name in interfaces:
            expected = "a list of names such as com.foo.interface"
            _check("interfaces", name, _INTERFACE.fullmatch, expected)
        if metadata is not None and type(metadata) is not dict:
            raise _wrong_type("metadata", metadata, "dict")
        record = ServiceRecord(service, address, interfaces, metadata or {})
        await self._backend.register(record, TTL)
        logger().debug("Registered %s at %s", service, address)
        return {}

    @method(constants.NS_METHOD_UNREGISTER)
    async def unregister(self, request: Request, address: str, service: str) -> dict[str, Any]:
        """Forget a service, if it is registered at that address."""
        _check_type("address", address)
        _check_type("service", service)
        await self._backend.unregister(service, address)
        return {}

    @method(constants.NS_METHOD_LOCATE, results=("address", "service", "interfaces"))
    async def locate(
        self, request: Request, interface: str, service: str | None = None
    ) -> tuple[str, str, list[str]]:
        """Find one service that provides an interface."""
        records = await self._find(interface, service)
        if not records:
            raise ServiceNotFound(f"Interface not found: {interface}")
        record = self._balancer.choose(records, interface)
        return record.address, record.service, list(record.interfaces)

    @method(constants.NS_METHOD_FIND)
    async def find(
        self, request: Request, interface: str, service: str | None = None
    ) -> list[dict[str, Any]]:
        """Find all services that provide an interface."""
        return [
            {**as_dict(record), "metadata": record.metadata}
            for record in await self._find(interface, service)
        ]

    @method(constants.NS_METHOD_LIST_SERVICES)
    async def list_services(
        self, request: Request, interface: str | None = None, service: str | None = None
    ) -> list[dict[str, Any]]:
        """List the services whose interfaces and names match regular expressions."""
        matches_interface = patterns.matcher("interface", interface)
        matches_service = patterns.matcher("service", service)
        return [
            as_dict(record)
            for record in await self._backend.list()
            if (service is None or matches_service(record.service))
            and (interface is None or any(map(matches_interface, record.interfaces)))
        ]

    async def _find(self, interface: str, service: str | None) -> Sequence[ServiceRecord]:
        _check_type("interface", interface)
        if service is not None:
            _check_type("service", service)
        return await self._backend.find(interface, service)

    async def close(self) -> None:
        """Close the backend."""
        await self._backend.close()


def as_dict(record: ServiceRecord) -> dict[str, Any]:
    """Return a record in its original form; metadata are only for callers that ask for them."""
    return {
        "service": record.service,
        "address": record.address,
        "interfaces": list(record.interfaces),
    }


def _is_endpoint(address: str) -> bool:
    found = _ENDPOINT.fullmatch(address)
    return found is not None and int(found["port"] or 1) <= 65_535


def _check(argument: str, value: Any, is_valid: Callable[[str], Any], expected: str) -> None:
    _check_type(argument, value)
    # This excludes lone surrogates, which could not be stored, matched or sent.
    if len(value) > _LONGEST_NAME or not value.isprintable() or not is_valid(value):
        raise BadRequest(f"Argument {argument!r}: expected {expected}, got {value[:100]!r}")


def _check_type(argument: str, value: Any) -> None:
    if type(value) is not str:
        raise _wrong_type(argument, value, "str")


def _wrong_type(argument: str, value: Any, expected: str) -> BadRequest:
    return BadRequest(
        f"Invalid type for argument {argument!r}, expected {expected}, got {type(value).__name__}"
    )
