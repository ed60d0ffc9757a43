"""Finding services for commands, which say at once what a context would wait for to change."""

from __future__ import annotations

from pycom_core.client._client import Client
from pycom_core.client._context import Context
from pycom_core.client.discovery._records import NoNameserver
from pycom_core.errors import ServiceNotAvailable, ServiceNotFound


def located(context: Context, interface: str, service: str | None = None) -> Client:
    """A component for an interface, of any service or of the one that is named.

    Raises `ServiceNotFound`, `ServiceNotAvailable`.
    """
    check_nameserver(context)
    try:
        component = context.locate(interface, service)
    except NoNameserver:
        raise
    except ServiceNotFound as error:
        who = "No service" if service is None else f"No service {service!r}"
        raise ServiceNotFound(
            f"{who} provides {interface!r}; `pycom ls` lists what there is"
        ) from error
    check_service(context, component.address, interface)
    return component


def check_nameserver(context: Context) -> None:
    """Have a context ask nameservers that can be reached first. Raises `ServiceNotFound`."""
    obstacles = {one: context.runtime.obstacle(one) for one in context.nameservers}
    if all(obstacles.values()):
        problems = "; ".join(f"{address}: {why}" for address, why in obstacles.items())
        raise NoNameserver(
            f"No nameserver answers: {problems}. Name one with -n ADDRESS or PYCOM_NAMESERVER"
        )
    context.nameservers.sort(key=lambda address: obstacles[address] is not None)


def check_service(context: Context, address: str, interface: str) -> None:
    """Raise `ServiceNotAvailable` if nothing can be reached at an address."""
    why = context.runtime.obstacle(address)
    if why is not None:
        raise ServiceNotAvailable(f"The service of {interface} cannot be reached: {address}: {why}")
