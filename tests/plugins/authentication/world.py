"""A small world to call in: a nameserver, an authenticator, a service."""

from __future__ import annotations

import contextlib
from typing import Any

import helpers
from doubles import double
from in_process import MakeRuntime, running

import pycom
from pycom_core import Context, Runtime, ServiceServer, constants
from pycom_plugins.nameserver.service import NameServer


@double(constants.AUTH_INTERFACE)
class Stub:
    """An authenticator that knows the owners of some tokens, and who asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {"t-ann": {"name": "ann", "roles": ["user"]}}
        self.asked: list[str] = []

    @pycom.method
    async def validate(self, request: Any, token: str) -> Any:
        self.asked.append(token)
        answer = self.answers.get(token, pycom.AccessDenied("never heard of it"))
        if isinstance(answer, Exception):
            raise answer
        return answer


class _WhoAmI:
    @pycom.method
    def whoami(self, request: Any) -> Any:
        identity = request.identity
        return None if identity is None else [identity.name, *identity.roles]


@pycom.interface("com.foo.open")
class Open(_WhoAmI):
    """Calls are welcome from anybody."""


@pycom.interface("com.foo.secret", authentication="required")
class Secret(_WhoAmI):
    """Calls are welcome from those who are known."""


class World:
    """Servers on a network within the process."""

    nameserver = "tcp://nameserver:1"
    service = "tcp://service:1"

    def __init__(self, make_runtime: MakeRuntime, stack: contextlib.ExitStack) -> None:
        self._make_runtime, self._stack = make_runtime, stack
        self.serve(NameServer(), address=self.nameserver)
        self.context = Context(runtime=self.runtime())

    def runtime(self, **settings: Any) -> Runtime:
        """A runtime that finds the nameserver."""
        return self._make_runtime(nameserver=(self.nameserver,), **settings)

    def serve(self, *providers: Any, address: str = service, **settings: Any) -> ServiceServer:
        """Serve from now on, with a runtime and a loop of its own."""
        server = ServiceServer([address], providers, self.runtime(**settings))
        return self._stack.enter_context(running(server))

    def register(self, interface: str, address: str) -> None:
        """Have the nameserver know a service."""
        arguments = {"service": f"/{interface}", "address": address, "interfaces": [interface]}
        self.context.nameserver().invoke("register", arguments)

    def authenticator(self, provider: Any) -> ServiceServer:
        """Serve and register an authenticator."""
        server = self.serve(provider, address="tcp://authenticator:1")
        self.register("org.pycom.authenticator", "tcp://authenticator:1")
        return server

    def whoami(self, interface: str, token: Any = None) -> Any:
        """Call the service with a token."""
        context = Context(runtime=self.context.runtime, timeout=helpers.PATIENCE * 1000)
        context.token = token
        return context.connect(self.service, interface).invoke("whoami")
