"""The common part of proxies and asyncio components: sessions, timeouts, their own names."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from in_process import MakeRuntime

from pycom_core import (
    AsyncContext,
    CallTimeout,
    DeadlineExceeded,
    ProxyContext,
    Request,
    Runtime,
    ServiceServer,
    SessionExpired,
    interface,
    method,
)
from pycom_plugins.introspection.service import Service

#: Either side notices that the time is up.
TOO_LATE = (CallTimeout, DeadlineExceeded)


@interface("com.foo.cart", stateful=True)
class Cart(Service):
    @method
    def put(self, request: Request, article: str) -> Any:
        assert request.session is not None
        articles: Any = request.session.setdefault("articles", [])
        articles.append(article)
        return articles

    @method
    async def doze(self, request: Request, seconds: float) -> Any:
        await asyncio.sleep(seconds)
        return request.extensions.get("org.pycom.deadline")


@interface("com.foo.named")
class Named(Service):
    """Has methods of the names that components have."""

    @method
    def session_id(self, request: Request) -> str:
        return "a method"

    @method
    def with_timeout(self, request: Request, ms: int) -> str:
        return f"a method, {ms}"

    @method
    def context(self, request: Request) -> str:
        return "a method"

    @method
    def address(self, request: Request) -> str:
        return "a method"


@pytest.fixture
def runtime(make_runtime: MakeRuntime) -> Runtime:
    runtime = make_runtime()
    ServiceServer(["local://shop"], [Cart(), Named()], runtime)
    return runtime


class Sync:
    """A proxy, called as an asyncio component is: what it gives need not be awaited."""

    def __init__(self, runtime: Runtime) -> None:
        self._context = ProxyContext(runtime=runtime)

    def open(self, interface: str) -> Any:
        return self._context.connect("local://shop", interface)

    def get(self, value: Any) -> Any:
        return value

    def close(self) -> None:
        self._context.close()


class Asyncio:
    """An asyncio component, on a loop that runs while something is awaited."""

    def __init__(self, runtime: Runtime) -> None:
        self._loop = asyncio.new_event_loop()
        self._context = AsyncContext(runtime=runtime)

    def open(self, interface: str) -> Any:
        async def connect() -> Any:
            return await self._context.connect("local://shop", interface)

        return self.get(connect())

    def get(self, value: Any) -> Any:
        return self._loop.run_until_complete(value)

    def close(self) -> None:
        self._context.close()
        self._loop.close()


@pytest.fixture(params=[Sync, Asyncio])
def way(request: Any, runtime: Runtime) -> Iterator[Any]:
    """Opens components, and gets what their methods return."""
    way = request.param(runtime)
    yield way
    way.close()


# Sessions.


def test_session_is_taken_from_one_component_to_another(way: Any) -> None:
    cart = way.open("com.foo.cart")
    assert way.get(cart.put("tea")) == ["tea"]
    kept = cart.session_id
    assert isinstance(kept, str)
    other = way.open("com.foo.cart")
    other.session_id = kept
    assert way.get(other.put("cups")) == ["tea", "cups"]
    assert other.session_id == kept
    cart.session_id = None
    assert way.get(cart.put("milk")) == ["milk"]
    assert cart.session_id not in (None, kept)


def test_session_that_is_not_there(way: Any) -> None:
    cart = way.open("com.foo.cart")
    cart.session_id = "never begun"
    with pytest.raises(SessionExpired):
        way.get(cart.put("tea"))


def test_session_of_a_stateless_interface(way: Any) -> None:
    tools = way.open("com.foo.named")
    way.get(tools.introspect())
    assert tools._wrapped.session_id is None


# Names.


def test_completion_has_each_name_once(way: Any) -> None:
    cart = way.open("com.foo.cart")
    way.get(cart.put("tea"))
    names = dir(cart)
    assert {"put", "doze", "with_timeout"} <= set(names)
    assert len(names) == len(set(names))


# Timeouts.


def test_timeout_of_ones_own(way: Any) -> None:
    cart = way.open("com.foo.cart")
    with pytest.raises(TOO_LATE):
        way.get(cart.with_timeout(20).doze(30))
    with pytest.raises(TOO_LATE):
        way.get(cart.with_timeout(20).invoke("doze", {"seconds": 30}))
    assert way.get(cart.doze(0)) == 5000, "the component itself goes on as before"


def test_what_is_called_with_a_timeout_gets_it_as_its_deadline(way: Any) -> None:
    cart = way.open("com.foo.cart").with_timeout(7000)
    assert way.get(cart.doze(0)) == 7000
    assert way.get(cart.with_timeout(9000).doze(0)) == 9000
    assert way.get(cart.invoke("doze", {"seconds": 0})) == 7000
    assert way.get(cart.invoke("doze", {"seconds": 0}, 8000)) == 8000
    assert (
        way.get(
            cart.invoke_with_request(Request("com.foo.cart", "doze", args={"seconds": 0}))
        ).result
        == 7000
    )


@pytest.mark.parametrize("timeout", [None, float("inf"), 1e300])
def test_no_timeout(timeout: Any, way: Any) -> None:
    cart = way.open("com.foo.cart")
    assert way.get(cart.with_timeout(timeout).doze(0.01)) is None
    if timeout is not None:  # which here means that of the component
        assert way.get(cart.invoke("doze", {"seconds": 0.01}, timeout)) is None


@pytest.mark.parametrize(("timeout", "error"), [(float("nan"), ValueError), ("5", TypeError)])
def test_what_is_no_timeout(timeout: Any, error: type[Exception], way: Any) -> None:
    cart = way.open("com.foo.cart")
    with pytest.raises(error):
        cart.with_timeout(timeout)
    with pytest.raises(error):
        way.get(cart.invoke("doze", {"seconds": 0}, timeout))


@pytest.mark.parametrize("timeout", [0, -1])
def test_time_that_is_up_already(timeout: float, way: Any) -> None:
    with pytest.raises(TOO_LATE):
        way.get(way.open("com.foo.cart").with_timeout(timeout).doze(30))


def test_timeout_takes_the_session_along(way: Any) -> None:
    cart = way.open("com.foo.cart")
    patient = cart.with_timeout(8000)
    assert way.get(patient.put("tea")) == ["tea"]
    assert way.get(cart.put("cups")) == ["tea", "cups"]
    assert patient.session_id == cart.session_id
    cart.session_id = None
    assert way.get(patient.put("milk")) == ["milk"]


def test_component_with_a_timeout_looks_like_any(way: Any) -> None:
    cart = way.open("com.foo.cart")
    way.get(cart.put("tea"))
    patient = cart.with_timeout(8000)
    assert type(patient) is type(cart)
    assert repr(patient) == repr(cart)
    assert (patient.name, patient.address) == ("com.foo.cart", "local://shop")
    assert patient.context is cart.context
    assert inspect.signature(patient.put) == inspect.signature(cart.put)


# Names.


def test_methods_go_before_names_that_are_no_methods_of_others(way: Any) -> None:
    named = way.open("com.foo.named")
    assert way.get(named.session_id()) == "a method"
    assert way.get(named.with_timeout(5)) == "a method, 5"
    assert way.get(named.context()) == "a method"
    assert way.get(named.address()) == "a method"
    assert named.session_id is named.session_id
    with pytest.raises(AttributeError, match=r"session_id is a method of com\.foo\.named"):
        named.session_id = "x"
    assert way.get(named.session_id()) == "a method"
