"""The common base of remote components."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from awaited import awaited
from doubles import SHOP, Directory, Shop
from in_process import MakeRuntime

from pycom_core import AsyncContext, Context, RemoteComponent, ServiceServer, constants


@pytest.fixture(autouse=True)
def services(make_runtime: MakeRuntime) -> None:
    ServiceServer(["local://shop"], [Shop()], make_runtime())
    ServiceServer(["local://ns"], [Directory()], make_runtime())


def assert_alike(component: Any, *told: Any) -> None:
    assert isinstance(component, RemoteComponent)
    assert (component.name, component.address, component.context) == told
    with pytest.raises(TypeError, match="locate it again"):
        copy.copy(component)


def test_sync_components(make_runtime: MakeRuntime) -> None:
    context = Context("local://ns", runtime=make_runtime())
    seen: list[Any] = []
    context.prehooks.append(lambda component, data: seen.append(component))
    component = context.connect("local://shop", SHOP)
    component.invoke("who")
    for one in (component, component.with_timeout(9000), *seen):
        assert_alike(one, SHOP, "local://shop", context)
    assert_alike(context.nameserver(), constants.NS_INTERFACE, "local://ns", None)
    assert len(seen) == 1


@awaited
async def test_components_of_asyncio(make_runtime: MakeRuntime) -> None:
    context = AsyncContext("local://ns", runtime=make_runtime())
    seen: list[Any] = []
    context.prehooks.append(lambda component, data: seen.append(component))
    component = await context.connect("local://shop", SHOP)
    await component.who()
    for one in (component, component.with_timeout(9000), *seen):
        assert_alike(one, SHOP, "local://shop", context)
    assert_alike(await context.nameserver(), constants.NS_INTERFACE, "local://ns", None)
    assert len(seen) == 2


def test_base_hides_no_methods_of_services() -> None:
    assert [name for name in dir(RemoteComponent) if not name.startswith("__")] == []
