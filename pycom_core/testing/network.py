"""A network for tests: a nameserver, services, and contexts that find them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, TypeVar

from pycom_core import constants
from pycom_core.client._async_context import AsyncContext
from pycom_core.client._context import Context
from pycom_core.client._registrar import RENEWAL
from pycom_core.plugins._discovery import installed_names
from pycom_core.plugins._discovery import service as service_class
from pycom_core.runtime._runtime import Runtime
from pycom_core.server._service import Provider
from pycom_core.settings import load
from pycom_core.testing.clock import Clock
from pycom_core.testing.faults import Faults, FaultyTransport
from pycom_core.testing.registry import Registry, Service
from pycom_core.testing.threads import ServiceThread
from pycom_core.transport import Transport
from pycom_core.transport._local import LocalTransport

ANY_PORT = "tcp://127.0.0.1:*"

_NetworkT = TypeVar("_NetworkT", bound="Network")
_ServiceT = TypeVar("_ServiceT", bound=Service)


class Network:
    """The base of `LocalNetwork` and `RealNetwork`. A context manager, `async` too.

    `plugins` (name → object), `disable` (names of installed plugins) and `settings` hold for all
    runtimes of the network, in addition to their own. Files and the environment are ignored.
    Time for leases and sessions stands still until the test moves it with `advance`.
    """

    _waits = True

    def __init__(
        self,
        *,
        plugins: Mapping[str, object] | None = None,
        disable: Iterable[str] = (),
        clock: Clock | None = None,
        **settings: Any,
    ) -> None:
        self.clock = clock or Clock()
        self.faults = Faults()
        self._plugins, self._disable, self._settings = {**(plugins or {})}, {*disable}, settings
        self._services: list[Service] = []
        self._numbers = itertools.count(1)
        self._left = contextlib.ExitStack()
        self._registry = Registry()
        try:
            self._prepare()
            self._registry.runtime = self._client_runtime(nameserver=constants.NS_NAME_LOCAL)
            self.nameserver = self._start_nameserver()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        """Set up the environment of services."""

    def _transport(self) -> Transport | None:
        """Return the transport for new runtimes."""
        raise NotImplementedError

    # Services.

    def _start_nameserver(self) -> ServiceThread:
        provider = service_class(constants.NS_INTERFACE)

        def make_runtime() -> Runtime:
            plugins = {"pycom_testing": self._registry}
            return self._runtime(plugins, nameserver=constants.NS_NAME_LOCAL)

        service = ServiceThread(
            constants.NS_DEFAULT_SERVICE, ANY_PORT, [provider], make_runtime, self._registry
        )
        self._registry.nameserver = service
        self._started(service)
        self.faults.spared.add(service.address)
        return service

    def serve(
        self,
        *providers: Provider,
        name: str | None = None,
        address: str = ANY_PORT,
        plugins: Mapping[str, object] | None = None,
        disable: Iterable[str] = (),
        **settings: Any,
    ) -> ServiceThread:
        """Run a service of classes and objects with an interface, registered on return.

        Makes an object of its own of each class. Raises the errors of plugins and settings, and
        `AccessDenied` for a name that is taken.
        """
        service = ServiceThread(
            name or f"/service/{next(self._numbers)}",
            address,
            providers,
            lambda: self._runtime(plugins, disable, **settings),
            self._registry,
        )
        return self._started(service)

    async def async_serve(self, *providers: Provider, **options: Any) -> ServiceThread:
        """Do the same as `serve`, while the event loop of the test goes on."""
        return await asyncio.to_thread(self.serve, *providers, **options)

    def _started(self, service: _ServiceT) -> _ServiceT:
        self._left.callback(service.kill)
        service.start()
        self._services.append(service)
        return service

    def kill(self, service: Service) -> None:
        """End a service as a crash would: it does not unregister. `service.start()` revives it."""
        service.kill()

    def advance(self, seconds: float) -> None:
        """Let time pass. Living services that are not cut off renew their leases meanwhile."""
        while seconds > 0:
            step = min(seconds, RENEWAL)
            self.clock.advance(step)
            self.renew()
            seconds -= step

    def renew(self) -> None:
        """Renew the registrations of all living services that are not cut off."""
        for service in self._services:
            if service.alive and not self.faults.parts([service.address], self.nameserver.address):
                self._registry.renew(service)

    # Contexts.

    def context(
        self,
        *,
        timeout: float = constants.PROTO_DEFAULT_TIMEOUT,
        plugins: Mapping[str, object] | None = None,
        disable: Iterable[str] = (),
        **settings: Any,
    ) -> Context:
        """A context with a runtime of its own, closed with the network."""
        runtime = self._client_runtime(plugins, disable, **settings)
        context = Context(timeout=timeout, runtime=runtime)
        self._left.callback(context.close)
        return context

    def async_context(
        self,
        *,
        timeout: float = constants.PROTO_DEFAULT_TIMEOUT,
        plugins: Mapping[str, object] | None = None,
        disable: Iterable[str] = (),
        **settings: Any,
    ) -> AsyncContext:
        """Return the same for asyncio."""
        runtime = self._client_runtime(plugins, disable, **settings)
        context = AsyncContext(timeout=timeout, runtime=runtime)
        self._left.callback(context.close)
        return context

    # Runtimes.

    def _client_runtime(
        self,
        plugins: Mapping[str, object] | None = None,
        disable: Iterable[str] = (),
        **settings: Any,
    ) -> Runtime:
        runtime = self._runtime(plugins, disable, **settings)
        self._left.callback(runtime.close)
        return runtime

    def _runtime(
        self,
        plugins: Mapping[str, object] | None = None,
        disable: Iterable[str] = (),
        **settings: Any,
    ) -> Runtime:
        plugins = {**self._plugins, **(plugins or {})}
        told = load(
            environ={},
            overrides=self._told(disable, settings),
            tables=[*installed_names(), *plugins],
        )
        runtime = Runtime(told, plugins=plugins, transport=self._transport(), clock=self.clock.now)
        runtime.transport = FaultyTransport(runtime.transport, self.faults, self._waits)
        return runtime

    def _told(self, disable: Iterable[str], settings: Mapping[str, Any]) -> dict[str, Any]:
        told = {
            "ipc": False,  # so that a service has one address, which faults know it by
            "development": True,
            "plugins": {"disable": sorted({*self._disable, *disable})},
            **self._settings,
            **settings,
        }
        if "nameserver" not in told:
            told["nameserver"] = self.nameserver.address
        return told

    # Life.

    def close(self) -> None:
        """End all that the network started."""
        self._left.close()

    def __enter__(self: _NetworkT) -> _NetworkT:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self: _NetworkT) -> _NetworkT:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(exc_type, exc, traceback)


class LocalNetwork(Network):
    """A network in this process, without sockets. A call that a fault loses fails at once."""

    _waits = False

    def _prepare(self) -> None:
        self._network = LocalTransport()

    def _transport(self) -> Transport:
        return self._network
