"""A server of interfaces: what a PyCOM service is."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from pycom_core.errors import BadRequest, ConfigurationError, MethodNotFound
from pycom_core.loops._nested import keeps_thread_waiting
from pycom_core.messages import Request, Response
from pycom_core.runtime._runtime import Runtime
from pycom_core.server import _pipeline
from pycom_core.server._interfaces import Interface
from pycom_core.server._methods import Method
from pycom_core.server._server import Server

if TYPE_CHECKING:
    from pycom_core.server._workers import AutoWorker, Workers

#: A class or an object that provides an interface, or the interface itself.
Provider = Any


class ServiceServer(Server):
    """Answers calls of the methods of interfaces."""

    opens_sessions = False

    def __init__(
        self,
        addresses: Iterable[str],
        providers: Iterable[Provider] = (),
        runtime: Runtime | None = None,
    ) -> None:
        super().__init__(addresses, runtime)
        self.interfaces: dict[str, Interface] = {}
        self.policy = self.runtime.settings.authentication.policy
        self._workers = _workers_of(self.runtime)
        try:
            for provider in providers:
                self.provide(provider)
        except BaseException:
            self.close()
            raise

    def provide(self, provider: Provider) -> Interface:
        """Answer calls of an interface from now on. Raises `ConfigurationError`.

        For a class, the one instance of its interface answers; an object answers itself.
        """
        shared = provider if isinstance(provider, Interface) else _interface_of(provider)
        # What plugins change in it is for this server alone. Its instance is made now, so that
        # what goes wrong stops the start.
        iface = shared.of(shared.instance)
        known = self.interfaces.get(iface.name)
        if known is not None and known.instance is iface.instance:
            return known
        if known is not None:
            raise ConfigurationError(
                f"Interface {iface.name} is provided twice: by {known!r} and by {iface!r}"
            )
        spoilt = iface.spoilt()
        if spoilt is not None:
            raise ConfigurationError(spoilt)
        bare = not iface.methods

        def left() -> str | None:
            lost = not bare and iface.methods == {}
            return f"{iface!r} has lost all of its methods" if lost else iface.spoilt()

        self.runtime.plugins.notify("pycom_provide", left, server=self, iface=iface)
        self.interfaces[iface.name] = iface
        if iface.stateful:
            self.sessions.store  # noqa: B018
        return iface

    def find_interface(self, name: str) -> Interface:
        """The interface of that name. Raises `BadRequest`."""
        try:
            return self.interfaces[name]
        except KeyError:
            raise BadRequest(f"Unsupported interface: {name[:256]}") from None

    def find_method(self, iface: Interface, name: str) -> Method:
        """The method of that name, if its plugin is active. Raises `MethodNotFound`."""
        method = iface.methods.get(name)
        if method is None or (
            method.plugin is not None and method.plugin not in self.runtime.plugins.active
        ):
            raise MethodNotFound(f"Method {name[:256]!r} not found in interface {iface.name}")
        return method

    def dispatch(self, request: Request) -> Coroutine[Any, None, Response]:
        """Take the request through its interface."""
        return _pipeline.call(self, request)

    def run(self, iface: Interface, method: Method, request: Request) -> Any:
        """Run a method here, or in a worker if there are workers."""
        if self._workers is None or method.is_async:
            return method.start(iface, request)
        delivery = request.delivery  # None: a command hands its requests over itself
        nested = keeps_thread_waiting() if delivery is None else delivery.nested
        if nested and asyncio.get_running_loop() is not self.loop:
            return method.start(iface, request)
        return self._workers.run(iface, method, request, nested)

    def join(self) -> None:
        """Wait until no worker runs a method."""
        if self._workers is not None:
            self._workers.join()

    def close(self) -> None:
        super().close()
        if self._workers is not None:
            self._workers.close()


def _workers_of(runtime: Runtime) -> Workers | AutoWorker | None:
    threads = runtime.settings.threads
    if threads == 0:
        return None
    from pycom_core.server import _workers as workers  # most services have none

    return workers.make(threads)


def _interface_of(provider: Provider) -> Interface:
    iface = getattr(provider, "__interface__", None)
    if not isinstance(iface, Interface):
        raise ConfigurationError(f"{provider!r} provides no interface; decorate its class")
    return iface if inspect.isclass(provider) else iface.of(provider)
