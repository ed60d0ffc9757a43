"""The description that a service gives of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from in_process import call

from pycom_core import (
    Interface,
    LocalTransport,
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

IFACE = "com.foo.described"
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
        """Tell the price."""

    @method("open now")
    def open(self, request: Request) -> Any:
        pass


def ask(server: ServiceServer, name: str = IFACE) -> Any:
    """Return the answer of a service to `introspect`."""
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
        "docstring": "Tell the price.",
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


@interface("com.foo.undescribed")
class Plain:
    introspection_data = {"color": "red"}  # noqa: RUF012

    @method
    def bar(self, request: Request) -> None: ...


def test_class_that_has_data_needs_no_base_class(serve: Serve) -> None:
    found = ask(serve(Plain), "com.foo.undescribed")
    assert (found["name"], found["docstring"]) == ("com.foo.undescribed", None)
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


@pytest.mark.parametrize(("provider", "name"), [(Shop, IFACE), (Plain, "com.foo.undescribed")])
def test_without_the_plugin_it_is_not_offered(provider: type, name: str, serve: Serve) -> None:
    answer = call(serve(provider, "introspection"), name, "introspect")
    assert answer["code"] == MethodNotFound.code


def test_in_this_process_without_a_server() -> None:
    iface: Interface = Shop.__interface__  # type: ignore[assignment]
    assert iface.introspect()["data"] == {"city": "Bonn"}
