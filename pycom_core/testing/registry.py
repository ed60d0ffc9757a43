"""The services that are registered with the nameserver of a network."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from pycom_core import constants, hookimpl
from pycom_core.client._context import Context
from pycom_core.client._nameserver import Nameserver
from pycom_core.errors import PycomError

if TYPE_CHECKING:
    from pycom_core.messages import Response
    from pycom_core.runtime._runtime import Runtime
    from pycom_core.server._interfaces import Interface
    from pycom_core.server._methods import Method

#: s; on an idle machine nothing that the kit waits for takes a tenth of it.
PATIENCE = 30.0


class Service(Protocol):
    """A service of a network, in a thread or in a process."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def alive(self) -> bool: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...


class Registry:
    """The registrations of services, those of services that register themselves included.

    It is a plugin of the nameserver, and a client of it.
    """

    nameserver: Service
    runtime: Runtime  #: of the client

    def __init__(self) -> None:
        self._records: dict[str, dict[str, Any]] = {}
        self._news = threading.Condition()

    @hookimpl
    def pycom_posthook(self, iface: Interface, method: Method, data: Response) -> None:
        """Note a registration."""
        if method.name == constants.NS_METHOD_REGISTER and iface.name == constants.NS_INTERFACE:
            assert data.request is not None
            with self._news:
                self._records[data.request.args["service"]] = data.request.args
                self._news.notify_all()

    def register(self, service: str, address: str, interfaces: Iterable[str]) -> None:
        """Register a service. Raises `AccessDenied`, and `ServiceNotFound` with no nameserver."""
        record = {"service": service, "address": address, "interfaces": list(interfaces)}
        self._client.invoke(constants.NS_METHOD_REGISTER, record)

    def renew(self, service: Service) -> None:
        """Register a service again, as it did before, if there is a nameserver."""
        with contextlib.suppress(PycomError):
            self._client.invoke(constants.NS_METHOD_REGISTER, self._records[service.name])

    def unregister(self, service: Service) -> None:
        """Unregister a service, if there is a nameserver."""
        record = {"service": service.name, "address": service.address}
        with contextlib.suppress(PycomError):
            self._client.invoke(constants.NS_METHOD_UNREGISTER, record)

    def forget(self, service: str) -> None:
        """Forget a registration, so that `wait_for` waits for a new one."""
        with self._news:
            self._records.pop(service, None)

    def wait_for(self, service: str, ended: Callable[[], bool]) -> str | None:
        """Return the address of a service once registered; None if it `ended` or timed out."""
        with self._news:
            self._news.wait_for(lambda: service in self._records or ended(), PATIENCE)
            return self._records.get(service, {}).get("address")

    def stir(self) -> None:
        """Wake those that wait, because a service has ended."""
        with self._news:
            self._news.notify_all()

    @functools.cached_property
    def _client(self) -> Nameserver:
        return Nameserver(Context(self.nameserver.address, runtime=self.runtime))
