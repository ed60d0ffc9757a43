"""Finding out whether there is a nameserver at an address."""

from __future__ import annotations

from pycom_core import constants
from pycom_core.client._client import Client
from pycom_core.errors import ServiceNotAvailable, ServiceNotFound


def detect_ns(host: str) -> Client:
    """Return the nameserver at an address, once it has answered.

    Raises `ServiceNotFound` if it does not, `ConfigurationError` if the address is malformed.
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
