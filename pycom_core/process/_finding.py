"""Finding services for commands, which report at once a problem that a context would wait out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from pycom_core.client._client import Client
from pycom_core.client._context import Context
from pycom_core.client.discovery._records import NoNameserver
from pycom_core.errors import ServiceNotAvailable, ServiceNotFound
from pycom_core.runtime._runtime import PROBE


def located(context: Context, interface: str, service: str | None = None) -> Client:
    """Return a component for an interface, of any service or of the named one.

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
    """Make a context ask reachable nameservers first. Raises `ServiceNotFound`."""
    runtime, limit = context.runtime, min(context.time_left(None), PROBE)
    # All at one time: each may be a host that keeps silent.
    with ThreadPoolExecutor(len(context.nameservers)) as threads:
        found = threads.map(lambda one: runtime.obstacle(one, limit), context.nameservers)
        obstacles = dict(zip(context.nameservers, found, strict=True))
    if all(obstacles.values()):
        problems = "; ".join(f"{address}: {why}" for address, why in obstacles.items())
        raise NoNameserver(
            f"No nameserver answers: {problems}. Name one with -n ADDRESS or PYCOM_NAMESERVER"
        )
    context.nameservers.sort(key=lambda address: obstacles[address] is not None)


def check_service(context: Context, address: str, interface: str) -> None:
    """Raise `ServiceNotAvailable` if nothing can be reached at an address."""
    why = context.runtime.obstacle(address, min(context.time_left(None), PROBE))
    if why is not None:
        raise ServiceNotAvailable(
            f"The service of {interface} cannot be reached: {address}: {why}", sent=False
        )
