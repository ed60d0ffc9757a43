"""A service or a nameserver comes back on its port, while contexts and components are held."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import helpers
import pytest

import pycom
from pycom_core import Runtime

#: ms; a connection comes back in its own time.
AMPLE = helpers.PATIENCE * 1000


class Held:
    """A context and a component that are kept, and called from wherever they belong to."""

    def __init__(self, context: Any, component: Any, run: Callable[[Any], Any]) -> None:
        self.context, self.component, self._run = context, component, run

    def echo(self, value: str) -> Any:
        """Call the component that is held."""
        return self._run(self.component.invoke("echo", {"value": value}))

    def locate_and_echo(self, value: str) -> Any:
        """Call another one, of the context that is held."""
        return self._run(self._locate_and_echo(value))

    def locate_and_introspect(self, iface: str) -> Any:
        """Find what is not known yet."""
        return self._run(self._locate_and_introspect(iface))

    def _locate_and_echo(self, value: str) -> Any:
        with self.context.locate("test.life") as component:
            return component.invoke("echo", {"value": value})

    def _locate_and_introspect(self, iface: str) -> Any:
        with self.context.locate(iface) as component:
            return component.introspect()["name"]


class HeldAsync(Held):
    async def _locate_and_echo(self, value: str) -> Any:
        async with self.context.locate("test.life") as component:
            return await component.echo(value)

    async def _locate_and_introspect(self, iface: str) -> Any:
        async with self.context.locate(iface) as component:
            return (await component.introspect())["name"]


@pytest.fixture
def in_loop() -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Runs coroutines on a loop that goes on between them."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def service(processes: helpers.Processes, nameserver: helpers.Service) -> helpers.Service:
    return processes.service("life_services", nameserver=nameserver, arguments=["-s", "/life"])


@pytest.fixture
def held(
    service: helpers.Service, nameserver: helpers.Service, runtime: Runtime, in_loop: Any
) -> Iterator[list[Held]]:
    """A sync and an asyncio context, with a component each."""
    options: Any = {"runtime": runtime, "timeout": AMPLE}
    context = pycom.Context(nameserver.address, **options)
    async_context = pycom.AsyncContext(nameserver.address, **options)

    async def located() -> Any:
        return await async_context.locate("test.life")

    yield [
        Held(context, context.locate("test.life"), lambda result: result),
        HeldAsync(async_context, in_loop(located()), in_loop),
    ]
    async_context.close()


@pytest.mark.parametrize("end", [helpers.Service.stop, helpers.Service.kill])
def test_service_that_comes_back(
    end: Callable[[helpers.Service], object],
    held: list[Held],
    service: helpers.Service,
    processes: helpers.Processes,
    nameserver: helpers.Service,
) -> None:
    assert [one.echo("before") for one in held] == ["before"] * 2
    end(service)
    again = {"address": service.address, "arguments": ["-s", "/life"]}
    second = processes.service("life_services", nameserver=nameserver, **again)
    assert second.address == service.address
    assert [one.echo("after") for one in held] == ["after"] * 2
    assert [one.locate_and_echo("found") for one in held] == ["found"] * 2


@pytest.mark.parametrize("end", [helpers.Service.stop, helpers.Service.kill])
def test_nameserver_that_comes_back(
    end: Callable[[helpers.Service], object],
    held: list[Held],
    processes: helpers.Processes,
    nameserver: helpers.Service,
) -> None:
    end(nameserver)
    assert [one.echo("meanwhile") for one in held] == ["meanwhile"] * 2
    # The connection to the service still stands.
    assert [one.locate_and_echo("known") for one in held] == ["known"] * 2
    second = processes.nameserver(address=nameserver.address)
    assert second.address == nameserver.address
    processes.service("vector_services", nameserver=second)
    iface = "com.foo.example"
    assert [one.locate_and_introspect(iface) for one in held] == [iface] * 2
    assert [one.echo("after") for one in held] == ["after"] * 2


def test_service_registers_with_a_nameserver_that_comes_back(
    processes: helpers.Processes, nameserver: helpers.Service
) -> None:
    service = processes.service("short_leases", nameserver=nameserver)
    nameserver.kill()
    second = processes.nameserver(address=nameserver.address)
    second.wait_for(f"Registered {service.name} at {service.address}")
