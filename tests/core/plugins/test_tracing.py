"""Tracing: with one setting every call of a hook is logged."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Generator
from types import SimpleNamespace
from typing import Any

import pytest
from in_process import MakeRuntime, call

from pycom_core import (
    Identity,
    Overloaded,
    Request,
    Runtime,
    ServiceServer,
    Settings,
    hookimpl,
    interface,
    method,
)
from pycom_core.plugins._tracing import LOGGER
from pycom_core.settings import Plugins


@interface("com.foo.traced")
class Greeter:
    @method
    def greet(self, request: Request) -> str:
        return "Hello"


def plugin(**hooks: Any) -> object:
    return SimpleNamespace(
        **{
            name: hook if hasattr(hook, "pycom_impl") else hookimpl(hook)
            for name, hook in hooks.items()
        }
    )


def traced(**plugins: object) -> ServiceServer:
    return ServiceServer(
        [], [Greeter], Runtime(Settings(plugins=Plugins(trace=True)), plugins=plugins)
    )


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    """Return a function that gives the logged lines on the test's plugins, without the times."""
    caplog.set_level(logging.INFO, LOGGER)

    def read() -> list[str]:
        found = [record.getMessage() for record in caplog.records if record.name == LOGGER]
        assert all(re.search(r" after \d+\.\d{3} ms$", line) for line in found)
        return [line.rpartition(" after ")[0] for line in found if " of mine" in line]

    return read


@hookimpl(wrapper=True)
def through() -> Generator[None, Any, Any]:
    return (yield)


def test_each_kind_of_hook(lines: Any) -> None:
    async def pycom_authenticate() -> Identity:
        await asyncio.sleep(0)
        return Identity("anna")

    mine = plugin(
        pycom_authenticate=pycom_authenticate,
        pycom_authorize=lambda identity: None,
        pycom_prehook=lambda data: None,
        pycom_invoke=through,
        pycom_posthook=lambda iface, method, data: None,
        pycom_configure=lambda: None,
        pycom_commands=lambda server: None,
    )
    server = traced(mine=mine)
    assert lines() == ["pycom_configure of mine returned", "pycom_commands of mine returned"]
    assert call(server, "com.foo.traced", "greet") == {"code": 0, "result": "Hello"}
    assert lines()[2:] == [
        f"pycom_{name} of mine returned"
        for name in ("authenticate", "authorize", "prehook", "invoke", "posthook")
    ]


@pytest.mark.parametrize("name", ["authenticate", "authorize", "prehook", "posthook"])
def test_failure(name: str, lines: Any) -> None:
    def fail() -> None:
        raise Overloaded("full")

    call(traced(mine=plugin(**{f"pycom_{name}": fail})), "com.foo.traced", "greet")
    assert lines() == [f"pycom_{name} of mine raised Overloaded('full')"]


def test_failure_of_what_is_awaited(lines: Any) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError

    server = traced(mine=plugin(pycom_authenticate=fail))
    assert call(server, "com.foo.traced", "greet")["code"] == 5
    assert lines() == ["pycom_authenticate of mine raised ValueError()"]


def test_wrapper_sees_what_it_saw_without_a_trace(lines: Any) -> None:
    @hookimpl(wrapper=True)
    def louder() -> Generator[None, str, str]:
        try:
            yield
        except Overloaded:
            return "caught"
        raise AssertionError

    @hookimpl(wrapper=True)
    def refuse() -> Generator[None, str, str]:
        yield
        raise Overloaded("full")

    server = traced(mine=plugin(pycom_invoke=refuse), mine2=plugin(pycom_invoke=louder))
    assert call(server, "com.foo.traced", "greet")["result"] == "caught"
    assert lines() == [
        "pycom_invoke of mine raised Overloaded('full')",
        "pycom_invoke of mine2 returned",
    ]


def test_wrapped_hook_is_traced_as_one(lines: Any) -> None:
    server = traced(other=plugin(pycom_prehook=lambda: None), mine=plugin(pycom_prehook=through))
    call(server, "com.foo.traced", "greet")
    assert lines() == ["pycom_prehook of mine, other returned"]


def test_without_the_setting_functions_are_called_as_they_are(
    make_runtime: MakeRuntime, lines: Any
) -> None:
    mine = plugin(pycom_invoke=hookimpl(wrapper=True)(lambda iface, method, request: (yield)))
    server = ServiceServer(["local://a"], [Greeter], make_runtime({"mine": mine}))
    assert server.runtime.plugins.chains.invoke == (mine.pycom_invoke,)
    call(server, "com.foo.traced", "greet")
    assert lines() == []
