"""What a service says of itself."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from in_process import call

from pycom_core import (
    Interface,
    LocalTransport,
    Method,
    MethodNotFound,
    Request,
    Runtime,
    ServiceServer,
    Settings,
    interface,
    method,
)
from pycom_core.settings import Plugins
from pycom_plugins.introspection.service import Service, describe

IFACE = "com.foo.shop"
Serve = Callable[..., ServiceServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves a provider, with plugins left out."""
    made: list[Runtime] = []

    def serve(provider: Any, *disable: str) -> ServiceServer:
        settings = Settings(plugins=Plugins(disable=disable))
        made.append(Runtime(settings, transport=LocalTransport()))
        return ServiceServer(["local://a"], [provider], made[-1])

    yield serve
    for runtime in made:
        runtime.close()


@interface(IFACE)
class Shop(Service):
    """Sells things."""

    introspection_data = {"city": "Bonn"}  # noqa: RUF012

    @method(results=("price", "picture"), attachments=("sample", "picture"))
    def price(self, request: Request, thing: str, sample: Any, *, count: int = 1) -> Any:
        """What it costs."""

    @method("open now")
    def open(self, request: Request) -> Any:
        pass


def ask(server: ServiceServer, name: str = IFACE) -> Any:
    """What a service answers to `introspect`."""
    return call(server, name, "introspect")["result"]


def test_what_it_says(serve: Serve) -> None:
    found = ask(serve(Shop, "typed_methods"))
    assert (found["name"], found["docstring"]) == (IFACE, "Sells things.")
    assert found["data"] == {"city": "Bonn"}
    assert set(found["methods"]) == {"price", "open now", "introspect"}
    assert found["methods"]["price"] == {
        "required_arguments": ["thing", "sample"],
        "optional_arguments": ["count"],
        "results": ["price", "picture"],
        "docstring": "What it costs.",
        "attachments": {"incoming": "sample", "outgoing": "picture"},
    }
    assert found["methods"]["open now"] == {
        "required_arguments": [],
        "optional_arguments": [],
        "results": [],
        "docstring": None,
        "attachments": {"incoming": None, "outgoing": None},
        "additional_arguments": False,
    }


def test_what_other_plugins_know_of_a_method_is_said_too() -> None:
    info = Shop.__interface__.methods["price"]  # type: ignore[union-attr]
    assert "schema" not in describe(info)
    info.details["schema"] = {"type": "object"}
    try:
        assert describe(info)["schema"] == {"type": "object"}
    finally:
        del info.details["schema"]


def test_data_of_one_object(serve: Serve) -> None:
    shop = Shop()
    shop.introspection_data = {"city": "Rome"}
    assert ask(serve(shop))["data"] == {"city": "Rome"}
    assert ask(serve(Shop))["data"] == {"city": "Bonn"}


def test_methods_that_one_object_has_more(serve: Serve) -> None:
    server = serve(Shop())
    iface: Interface = server.interfaces[IFACE]
    iface.methods["extra"] = iface.methods["price"]
    assert "extra" in ask(server)["methods"]
    assert "extra" not in ask(serve(Shop()))["methods"]


@interface("com.foo.plain")
class Plain:
    introspection_data = {"color": "red"}  # noqa: RUF012

    @method
    def bar(self, request: Request) -> None: ...


def test_class_that_has_data_needs_no_base_class(serve: Serve) -> None:
    found = ask(serve(Plain), "com.foo.plain")
    assert (found["name"], found["docstring"]) == ("com.foo.plain", None)
    assert found["data"] == {"color": "red"}
    assert set(found["methods"]) == {"bar", "introspect"}


def test_class_without_data_is_not_introspected(serve: Serve) -> None:
    @interface("com.foo.closed")
    class Closed:
        @method
        def bar(self, request: Request) -> None: ...

    answer = call(serve(Closed), "com.foo.closed", "introspect")
    assert answer["code"] == MethodNotFound.code


def test_own_method_of_that_name_stays(serve: Serve) -> None:
    @interface("com.foo.own")
    class Own:
        introspection_data: dict[str, Any] = {}  # noqa: RUF012

        @method
        def introspect(self, request: Request) -> str:
            return "my own"

    assert ask(serve(Own), "com.foo.own") == "my own"


@pytest.mark.parametrize(("provider", "name"), [(Shop, IFACE), (Plain, "com.foo.plain")])
def test_without_the_plugin_it_is_not_offered(provider: type, name: str, serve: Serve) -> None:
    answer = call(serve(provider, "introspection"), name, "introspect")
    assert answer["code"] == MethodNotFound.code


def test_in_this_process_without_a_server() -> None:
    iface: Interface = Shop.__interface__  # type: ignore[assignment]
    assert iface.introspect()["data"] == {"city": "Bonn"}


# Arguments that are not declared.


def declares(function: Any) -> Any:
    return describe(method(body=function, name="bar")).get("additional_arguments")


def nothing(self: Any, request: Request) -> Any: ...


def session(self: Any, request: Request) -> Any:
    request.session.setdefault("a", [])  # type: ignore[union-attr]
    return request.response([self.other, request.session], b"")


async def awaits(self: Any, request: Request) -> Any:
    return await request.async_context().locate(self.name)


def reads(self: Any, request: Request) -> Any:
    return request.args


def reads_within(self: Any, request: Request) -> Any:
    return [request.args for _ in range(2)]


def reads_later(self: Any, request: Request) -> Any:
    return lambda: request.args


def hands_on(self: Any, request: Request) -> Any:
    return self.helper(request, self.name)


def renames(self: Any, request: Request) -> Any:
    other = request
    return other.args


def gives_back(self: Any, request: Request) -> Any:
    return request


def any_keyword(self: Any, request: Request, **others: Any) -> Any: ...


def any_more(self: Any, request: Request, name: str, **others: Any) -> Any: ...


def named(self: Any, request: Request, name: str, value: Any = None) -> Any:
    return request.args


def any_positional(*args: Any) -> Any: ...


def logged(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(self: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
        print(request.args)
        return function(self, request, *args, **kwargs)

    return wrapper


@pytest.mark.parametrize("function", [nothing, session, awaits])
def test_method_that_cannot_see_more_arguments_says_so(function: Any) -> None:
    assert declares(function) is False


@pytest.mark.parametrize(
    "function",
    [
        *(reads, reads_within, reads_later, hands_on, renames, gives_back, any_positional),
        *(logged(nothing), functools.partial(nothing)),
    ],
)
def test_method_without_arguments_that_may_look_for_some_says_nothing(function: Any) -> None:
    assert declares(function) is None


def test_method_that_may_look_for_more_in_a_hook_says_nothing() -> None:
    info = method(body=nothing, name="bar")
    info.prehooks.append(lambda iface, method, data: print(data.args))
    assert "additional_arguments" not in describe(info)


@pytest.mark.parametrize(
    ("function", "said"), [(any_keyword, None), (any_more, True), (named, None)]
)
def test_method_with_arguments(function: Any, said: Any) -> None:
    assert declares(function) is said


def test_method_that_runs_in_a_way_of_its_own_says_nothing() -> None:
    class Own(Method):
        def run(self, iface: Interface, request: Request) -> Any:
            return request.args

    assert "additional_arguments" not in describe(method("bar", nothing, Own))
