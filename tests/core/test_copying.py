"""Copies and pickles of contexts work; other objects refuse them."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from awaited import awaited
from in_process import MakeRuntime

from pycom_core import (
    AsyncContext,
    Context,
    ProxyContext,
    Runtime,
    ServiceServer,
    constants,
    interface,
    method,
)
from pycom_core.client import _caller
from pycom_core.client._async_component import AsyncComponent
from pycom_core.client._proxy import ProxyComponent
from pycom_plugins.introspection.service import Service

IFACE = "com.foo.copied"
PROTOCOLS = (0, 2, pickle.HIGHEST_PROTOCOL)


@interface(IFACE)
class Provider(Service):
    """Tells who calls."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    @method
    def token(self, request: Any) -> Any:
        self.asked.append(request.method)
        return request.extensions.get(constants.AUTH_EXTENSION)

    @method(results=("low", "class"))
    def limits(self, request: Any) -> tuple[int, int]:
        return 0, 100


@pytest.fixture
def provider(make_runtime: MakeRuntime) -> Provider:
    """A service at local://a."""
    provider = Provider()
    ServiceServer(["local://a"], [provider], make_runtime())
    return provider


@pytest.fixture
def here(make_runtime: MakeRuntime, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """A runtime, which is also the default one, for unpickled contexts."""
    made = make_runtime()
    monkeypatch.setattr(_caller, "default_runtime", lambda: made)
    return made


def pickled(protocol: int) -> Callable[[Any], Any]:
    return lambda value: pickle.loads(pickle.dumps(value, protocol))


COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy}
PICKLES = {f"pickle {protocol}": pickled(protocol) for protocol in PROTOCOLS}
each = pytest.mark.parametrize
KINDS = [Context, ProxyContext, AsyncContext]


def made(kind: Any, here: Runtime) -> Any:
    """A context with a token, hooks and other state."""
    context = kind(["local://ns", "local://other"], timeout=77, views=True, runtime=here)
    # An attribute that is set on a ProxyContext need not be one of what it wraps.
    wrapped = getattr(context, "_wrapped", context)
    wrapped.token = "secret"
    wrapped.prehooks.append(print)
    wrapped.posthooks.append(print)
    return context


# Contexts.


@each("way", COPIES)
@each("kind", KINDS)
def test_copy_of_a_context_calls_as_it_does_over_its_connections(
    kind: Any, way: str, here: Runtime
) -> None:
    context = made(kind, here)
    twin = COPIES[way](context)
    assert type(twin) is kind
    assert (twin.timeout, twin.views, twin.token, twin.runtime) == (77, True, "secret", here)
    assert (twin.nameservers, twin.prehooks) == (context.nameservers, [print])
    for shared in ("pool", "records", "descriptions"):
        assert getattr(twin, shared) is getattr(context, shared)
    for own in ("nameservers", "prehooks", "posthooks"):
        getattr(twin, own).clear()
        assert getattr(context, own), f"{own} of the original stay"


@each("way", PICKLES)
@each("kind", KINDS)
def test_pickled_context_knows_where_but_not_who(kind: Any, way: str, here: Runtime) -> None:
    context = made(kind, here)
    twin = PICKLES[way](context)
    assert type(twin) is kind
    assert (twin.timeout, twin.views, twin.runtime) == (77, True, here)
    assert twin.nameservers == ["local://ns", "local://other"]
    assert (twin.token, twin.prehooks, twin.posthooks) == (None, [], [])
    assert twin.pool is not context.pool


@each("protocol", PROTOCOLS)
@each("kind", KINDS)
def test_token_is_not_among_the_bytes(kind: Any, protocol: int, here: Runtime) -> None:
    assert b"secret" not in pickle.dumps(made(kind, here), protocol)


@pytest.mark.usefixtures("provider")
@each("way", [*COPIES, *PICKLES])
def test_copied_context_calls(way: str, here: Runtime) -> None:
    context = ProxyContext(runtime=here)
    twin = {**COPIES, **PICKLES}[way](context)
    assert twin.connect("local://a", IFACE).token() is None


@pytest.mark.usefixtures("provider")
@each("way", [*COPIES, *PICKLES])
@awaited
async def test_copied_async_context_calls(way: str, here: Runtime) -> None:
    async with AsyncContext(runtime=here) as context:
        twin = {**COPIES, **PICKLES}[way](context)
        assert await (await twin.connect("local://a", IFACE)).token() is None
        twin.close()
        assert await (await context.connect("local://a", IFACE)).token() is None


def test_closing_a_copy_leaves_the_connections_of_an_async_context(here: Runtime) -> None:
    async def connected() -> bool:
        channel = context.pool.to("local://a")
        copy.copy(context).close()
        return context.pool.to("local://a") is channel

    context = AsyncContext(runtime=here)
    assert asyncio.run(connected())


class Mine(Context):
    """A context with something of its own."""

    mine = "nothing"


@each("way", [*COPIES, *PICKLES])
def test_subclasses_stay_what_they_are(way: str, here: Runtime) -> None:
    context = Mine(runtime=here)
    context.mine = "something"
    twin = {**COPIES, **PICKLES}[way](context)
    assert type(twin) is Mine
    assert twin.mine == ("something" if way in COPIES else "nothing")


# Components, and what holds sockets.


@pytest.fixture
def held(provider: Provider, here: Runtime) -> Iterator[SimpleNamespace]:
    """One object of each kind that holds resources of this process."""

    async def connected() -> AsyncComponent:
        return await AsyncContext(runtime=here).connect("local://a", IFACE)

    context = Context("local://ns", runtime=here)
    yield SimpleNamespace(
        client=context.connect("local://a", IFACE),
        proxy=ProxyContext(context).connect("local://a", IFACE),
        asynchronous=asyncio.run(connected()),
        runtime=here,
        server=ServiceServer(["local://b"], [], here),
    )
    assert provider.asked == [], "nothing of this is a remote call"


@each("way", [*COPIES, *PICKLES])
@each(
    ("kind", "says"),
    [
        ("client", "<Client of com.foo.copied at local://a> cannot be .*: locate it again"),
        ("proxy", "<Proxy of <Client of com.foo.copied at local://a>> cannot be .*: locate it"),
        ("asynchronous", "<AsyncComponent of com.foo.copied at .* cannot be .*: locate it again"),
        ("runtime", "Runtime .* cannot be copied or pickled: make another one of its settings"),
        ("server", "ServiceServer .* cannot be copied or pickled: make another one"),
    ],
)
def test_the_rest_refuses(kind: str, says: str, way: str, held: SimpleNamespace) -> None:
    with pytest.raises(TypeError, match=says):
        {**COPIES, **PICKLES}[way](getattr(held, kind))


@each("name", ["__getstate__", "__deepcopy__", "__getnewargs_ex__", "__setstate__", "__fspath__"])
@each("kind", ["proxy", "asynchronous"])
def test_what_python_asks_for_is_no_remote_method(
    kind: str, name: str, held: SimpleNamespace
) -> None:
    component = getattr(held, kind)
    object_has_it = hasattr(object(), name)  # __getstate__ does, from Python 3.11 on
    assert hasattr(component, name) is object_has_it
    assert hasattr(ProxyContext(runtime=held.runtime), name) is (
        object_has_it or name == "__deepcopy__"
    )


@each("kind", [ProxyContext, ProxyComponent, AsyncComponent])
def test_object_that_was_not_initialised_has_no_attributes(kind: Any) -> None:
    for name in ("_wrapped", "_methods", "anything"):
        with pytest.raises(AttributeError):
            getattr(object.__new__(kind), name)


# Results.


@pytest.mark.usefixtures("provider")
@each("way", [*COPIES, *PICKLES])
def test_several_results_are_copied_and_pickled(way: str, here: Runtime) -> None:
    results = ProxyContext(runtime=here).connect("local://a", IFACE).limits()
    twin = {**COPIES, **PICKLES}[way](results)
    assert (twin, twin.low, type(twin)) == ((0, 100), 0, type(results))
