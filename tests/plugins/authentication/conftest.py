"""Users for these tests, and a small world to call in: nameserver, authenticator, service."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from in_process import MakeRuntime, make_runtime, running

import pycom
from pycom_core import Context, Runtime, ServiceServer
from pycom_plugins.authentication.passwords import hashed
from pycom_plugins.authentication.users import User, Users
from pycom_plugins.nameserver.service import NameServer

__all__ = ["make_runtime"]


@pytest.fixture(scope="session")
def password() -> str:
    """Hashed once: it takes long, on purpose."""
    return hashed("pw")


@pytest.fixture
def users_file(tmp_path: Path, password: str) -> Path:
    """A file of users: ann, who is a user, and root, who is an admin. The password is pw."""
    users = Users(tmp_path / "users.json")
    with users.changed() as found:
        found["ann"] = User(password, ("user",))
        found["root"] = User(password, ("user", "admin"))
    return users.path


@pycom.interface("org.pycom.authenticator", authentication="never")
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
        context = Context(runtime=self.context.runtime)
        context.token = token
        return context.connect(self.service, interface).invoke("whoami")


@pytest.fixture
def world(make_runtime: MakeRuntime) -> Iterator[World]:
    """A nameserver, and what a test adds to it."""
    with contextlib.ExitStack() as stack:
        yield World(make_runtime, stack)


@pytest.fixture
def stub(world: World) -> Stub:
    """The authenticator of the world."""
    stub = Stub()
    world.authenticator(stub)
    return stub
