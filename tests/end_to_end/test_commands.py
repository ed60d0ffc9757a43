"""A command of a plugin, sent through the contexts that a program has anyway."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import pycom
from pycom_core import (
    BadRequest,
    BaseCommand,
    CallTimeout,
    DeadlineExceeded,
    ProxyContext,
    Response,
    Server,
    ServiceNotAvailable,
    hookimpl,
    interface,
)
from pycom_core.testing import LocalNetwork, RealNetwork


class Turn(BaseCommand):
    """Turns a text round, and the bytes beside it."""

    def request_to_dict(self, request: Any, **kw: Any) -> dict[str, Any]:
        return {"text": request}

    def request_from_dict(self, data: dict[str, Any]) -> str:
        if not isinstance(data.get("text"), str):
            raise BadRequest("Field text must be a string")
        return str(data["text"])

    async def real_process_request(self, request: str, *other_parts: Any) -> Response:
        if request == "later":
            await asyncio.sleep(60)
        turned = bytes(other_parts[0])[::-1] if other_parts else None
        return Response(None, result=request[::-1], attachment=turned)

    def response_to_dict(self, response: Response) -> dict[str, Any]:
        return {} if response.code else {"turned": response.result}

    def response_from_dict(self, data: dict[str, Any]) -> Any:
        return data["turned"]


class Broken(BaseCommand):
    def request_from_dict(self, data: dict[str, Any]) -> Any:
        raise RuntimeError


class Commands:
    @hookimpl
    def pycom_commands(self, server: Server | None) -> dict[bytes, BaseCommand]:
        return {b"TURN": Turn(server), b"BROKEN": Broken(server)}


@interface("com.foo.any")
class Anything(pycom.Service):
    pass


@pytest.fixture(params=[LocalNetwork, RealNetwork])
def network(request: pytest.FixtureRequest) -> Iterator[Any]:
    with request.param(plugins={"commands": Commands()}) as network:
        network.serve(Anything)
        yield network


def test_by_address_and_by_component(network: Any) -> None:
    context = network.context()
    with context.locate("com.foo.any") as component:
        for server in (component, component.address):
            assert context.send_command(server, b"TURN", Turn(), "abc ☃") == "☃ cba"
        assert context.send_command(component, b"TURN", Turn(), "ab", attachment=b"12") == (
            "ba",
            b"21",
        )


def test_awaited(network: Any) -> None:
    async def work() -> None:
        async with network.async_context() as context:
            address = network.context().locate("com.foo.any").address
            assert await context.send_command(address, b"TURN", Turn(), "abc") == "cba"
            found = await asyncio.gather(
                *(context.send_command(address, b"TURN", Turn(), str(n)) for n in range(10, 20)),
            )
            assert found == [f"{n}"[::-1] for n in range(10, 20)]
            both = await context.send_command(address, b"TURN", Turn(), "ab", None, b"12")
            assert both == ("ba", b"21")
            with pytest.raises(BadRequest, match="must be a string"):
                await context.send_command(address, b"TURN", Turn(), 5)

    asyncio.run(work())


def test_components_that_are_proxies() -> None:
    async def awaited() -> str:
        async with network.async_context() as context:
            component = await context.locate("com.foo.any")
            return str(await context.send_command(component, b"TURN", Turn(), "abc"))

    with LocalNetwork(plugins={"commands": Commands()}) as network:
        network.serve(Anything)
        proxies = ProxyContext(network.context())
        with proxies.locate("com.foo.any") as proxy:
            assert proxies.send_command(proxy, b"TURN", Turn(), "abc") == "cba"
        assert asyncio.run(awaited()) == "cba"


def test_errors(network: Any) -> None:
    context = network.context()
    with context.locate("com.foo.any") as component:
        with pytest.raises(BadRequest, match="must be a string"):
            context.send_command(component, b"TURN", Turn(), 5)
        with pytest.raises(BadRequest, match="Unknown command: NONE"):
            context.send_command(component, b"NONE", Turn(), "abc")
        with pytest.raises(ServiceNotAvailable, match="failed to answer"):
            context.send_command(component, b"BROKEN", Turn(), "abc")
        with pytest.raises(CallTimeout):
            context.send_command(component, b"TURN", Turn(), "later", timeout=20)
        assert context.send_command(component, b"TURN", Turn(), "abc") == "cba"
        context.deadline = 0.0
        with pytest.raises(DeadlineExceeded):
            context.send_command(component, b"TURN", Turn(), "abc")
