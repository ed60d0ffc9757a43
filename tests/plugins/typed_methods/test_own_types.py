"""Types that plugins know, as arguments and results of typed methods."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Annotated, Any, Generic, TypeVar

import attrs
import msgspec
import pytest
from in_process import MakeRuntime, call

import pycom
from pycom_core import Runtime, ServiceServer, TypeCodec, hookimpl
from pycom_plugins.typed_methods.contracts import typed
from pycom_plugins.typed_methods.schemas import Schemas

T = TypeVar("T")
NAME = "com.foo.bank"


class Money:
    """An amount of money."""

    def __init__(self, cents: int) -> None:
        self.cents = cents


class Euros(Money):
    pass


class Wallet(Generic[T]):
    pass


class Tree:
    pass


class MoneyCodec(TypeCodec):
    def decode(self, cls: Any, value: Any) -> Any:
        if type(value) is not str:
            raise TypeError("expected an amount as text")
        if value == "lost":
            raise KeyError(value)
        return cls(round(float(value) * 100))

    def encode(self, value: Any) -> Any:
        return "" if value.cents < 0 else f"{value.cents / 100:.2f}"

    def schema(self, cls: Any, result: bool) -> Mapping[str, Any]:
        return {"type": "string", "minLength": 1}


class TreeCodec(TypeCodec):
    """Describes what it gives with definitions of its own."""

    def decode(self, cls: Any, value: Any) -> Any:
        return Tree()

    def encode(self, value: Any) -> Any:
        return {"leaves": [{"size": 1}]}

    def schema(self, cls: Any, result: bool) -> Mapping[str, Any]:
        leaf = {
            "type": "object",
            "properties": {"size": {"type": "integer" if result else "string"}},
        }
        leaves = {"type": "array", "items": {"$ref": "#/$defs/Leaf"}}
        return {"properties": {"leaves": leaves, "$ref": {}}, "$defs": {"Leaf": leaf}}


class Bags(TypeCodec):
    def decode(self, cls: Any, value: Any) -> Any:
        return Wallet()

    def encode(self, value: Any) -> Any:
        return None


class Knowing:
    """A plugin."""

    @hookimpl
    def pycom_types(self) -> Any:
        return {Money: MoneyCodec(), Tree: TreeCodec(), Wallet: Bags()}


@attrs.define
class Item:
    name: str
    price: Money
    discounts: list[Euros] = attrs.field(factory=list)


@dataclasses.dataclass
class Order:
    item: Item
    note: str | None = None


@pycom.interface(NAME)
class Bank(pycom.Service):
    @pycom.method
    def double(self, request: Any, money: Money) -> Money:
        assert type(money) is Money
        return type(money)(money.cents * 2)

    @pycom.method
    def exact(self, request: Any, money: Euros) -> Euros:
        assert type(money) is Euros
        return money

    @pycom.method
    def sum(
        self,
        request: Any,
        parts: list[Money],
        more: Annotated[Money | None, msgspec.Meta(description="More of it.")] = None,
    ) -> dict[str, Money]:
        total = sum(part.cents for part in [*parts, *([more] if more else [])])
        return {"total": Money(total)}

    @pycom.method
    def order(self, request: Any, order: Order) -> list[Order]:
        assert type(order.item.price) is Money
        assert all(type(one) is Euros for one in order.item.discounts)
        return [order]

    @pycom.method
    def constant(self, request: Any, price: Money = Money(5)) -> Money:  # noqa: B008
        return price

    @pycom.method
    def negative(self, request: Any) -> Money:
        return Money(-1)

    @pycom.method
    def plant(self, request: Any, tree: Tree) -> Tree:
        return tree

    @pycom.method
    def wallet(self, request: Any, wallet: Wallet[int]) -> bool:
        return isinstance(wallet, Wallet)


@pytest.fixture
def runtime(make_runtime: MakeRuntime) -> Runtime:
    return make_runtime({"knowing": Knowing()}, development=True)


@pytest.fixture
def server(runtime: Runtime) -> ServiceServer:
    return ServiceServer(["local://bank"], [Bank], runtime)


TEA = {"name": "tea", "price": "3"}

ACCEPTED: list[tuple[str, Any, Any]] = [
    ("double", {"money": "1.50"}, "3.00"),
    ("exact", {"money": "1"}, "1.00"),
    ("sum", {"parts": ["1", "2"]}, {"total": "3.00"}),
    ("sum", {"parts": [], "more": "1"}, {"total": "1.00"}),
    ("sum", {"parts": [], "more": None}, {"total": "0.00"}),
    (
        "order",
        {"order": {"item": {**TEA, "discounts": ["1"]}}},
        [{"item": {"name": "tea", "price": "3.00", "discounts": ["1.00"]}, "note": None}],
    ),
    ("constant", {}, "0.05"),
    ("plant", {"tree": {}}, {"leaves": [{"size": 1}]}),
    ("wallet", {"wallet": 1}, True),
]


@pytest.mark.parametrize(("method", "args", "result"), ACCEPTED)
def test_accepted(server: ServiceServer, method: str, args: Any, result: Any) -> None:
    assert call(server, NAME, method, args) == {"code": 0, "result": result}


REFUSED: list[tuple[str, Any, str]] = [
    ("double", {"money": 3}, "args.money: expected an amount as text"),
    ("double", {"money": "x"}, "args.money: could not convert string to float: 'x'"),
    ("sum", {"parts": ["1", 2]}, "args.parts[1]: expected an amount as text"),
    ("order", {"order": {"item": {**TEA, "discounts": ["1", None]}}},
     "args.order.item.discounts[1]: expected an amount as text"),
    ("double", {}, "Argument 'money' is required for com.foo.bank.double"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "args", "error"), REFUSED)
def test_refused(server: ServiceServer, method: str, args: Any, error: str) -> None:
    assert call(server, NAME, method, args) == {"code": 4, "error": error}


def test_a_codec_that_fails_is_named_in_the_log(
    server: ServiceServer, caplog: pytest.LogCaptureFixture
) -> None:
    answer = call(server, NAME, "double", {"money": "lost"})
    assert answer == {"code": 1, "error": "Unknown error during request"}
    assert "The plugin 'knowing' (registered by hand) failed to decode" in caplog.text


def test_results_are_checked_against_what_the_codec_says(
    server: ServiceServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert call(server, NAME, "negative")["code"] == 1
    assert 'returned what is no Money: result: expected minLength 1, got ""' in caplog.text


def test_in_place(runtime: Runtime) -> None:
    found = typed(Bank, runtime).invoke("double", {"money": "1.50"})
    assert (type(found), found.cents) == (Money, 300)


def test_without_the_plugin_the_start_stops(make_runtime: MakeRuntime) -> None:
    with pytest.raises(
        pycom.ConfigurationError,
        match=r"com.foo.bank.\w+: argument '\w+' cannot be checked .* is nothing that JSON knows, "
        "nor a plugin",
    ):
        ServiceServer(["local://bank"], [Bank], make_runtime())


def test_a_description_that_fails_stops_the_start_and_names_the_plugin(
    make_runtime: MakeRuntime,
) -> None:
    class Mute(MoneyCodec):
        def schema(self, cls: Any, result: bool) -> Mapping[str, Any]:
            raise LookupError("no words")

    class Plugin:
        @hookimpl
        def pycom_types(self) -> Any:
            return {Money: Mute()}

    @pycom.interface("com.foo.taking")
    class Taking:
        @pycom.method
        def take(self, request: Any, money: Money) -> None:
            pass

    @pycom.interface("com.foo.giving")
    class Giving:
        @pycom.method
        def give(self, request: Any) -> Money:
            raise NotImplementedError

    for provider in (Taking, Giving):
        with pytest.raises(
            pycom.ConfigurationError, match="plugin 'mute' .* failed to describe .*'no words'"
        ):
            ServiceServer(["local://a"], [provider], make_runtime({"mute": Plugin()}))


def test_unions_with_other_types_stop_the_start(runtime: Runtime) -> None:
    @pycom.interface("com.foo.either")
    class Either:
        @pycom.method
        def f(self, request: Any, money: Money | int) -> None:
            pass

    with pytest.raises(pycom.ConfigurationError, match="argument 'money' .* unions containing"):
        ServiceServer(["local://a"], [Either], runtime)


# Descriptions.


def test_schemas(server: ServiceServer) -> None:
    methods = call(server, NAME, "introspect")["result"]["methods"]
    assert methods["sum"]["schema"]["arguments"] == {
        "type": "object",
        "properties": {
            "parts": {"type": "array", "items": {"$ref": "#/$defs/Money"}},
            "more": {
                "anyOf": [{"$ref": "#/$defs/Money"}, {"type": "null"}],
                "description": "More of it.",
                "default": None,
            },
        },
        "required": ["parts"],
        "$defs": {
            "Money": {
                "title": "Money",
                "description": "An amount of money.",
                "type": "string",
                "minLength": 1,
            }
        },
    }
    assert methods["exact"]["schema"]["result"]["$defs"]["Euros"]["title"] == "Euros"
    assert methods["constant"]["schema"]["arguments"]["properties"]["price"] == {
        "$ref": "#/$defs/Money", "default": "0.05"
    }  # fmt: skip
    leaf = {"type": "object", "properties": {"size": {"type": "integer"}}}
    assert methods["plant"]["schema"]["result"]["$defs"]["Leaf"] == leaf
    leaf = {"type": "object", "properties": {"size": {"type": "string"}}}
    assert methods["plant"]["schema"]["arguments"]["$defs"]["Leaf"] == leaf
    json.dumps(methods)


class Leaf(msgspec.Struct):
    """A class of ours with the name of one of theirs."""

    size: int


def test_definitions_of_plugins_get_names_that_are_free(runtime: Runtime) -> None:
    schemas = Schemas(runtime.types)
    found = schemas.complete({"ours": schemas.of(Leaf), "theirs": schemas.of(Tree)})
    assert found["ours"] == {"$ref": "#/$defs/Leaf"}
    tree = found["$defs"]["Tree"]
    assert tree["properties"]["leaves"]["items"] == {"$ref": "#/$defs/Leaf_2"}
    assert tree["properties"]["$ref"] == {}
    assert found["$defs"]["Leaf_2"]["properties"] == {"size": {"type": "string"}}


class Sharing(TypeCodec):
    """Two classes that mean one definition, and one that is a reference to its own."""

    def decode(self, cls: Any, value: Any) -> Any:
        raise NotImplementedError

    def encode(self, value: Any) -> Any:
        raise NotImplementedError

    def schema(self, cls: Any, result: bool) -> Mapping[str, Any]:
        loop = {"type": "object", "properties": {"loop": {"$ref": "#/$defs/Loop"}}}
        leaf: dict[str, Any] = {"title": "Leaf", "type": "integer"}
        return {
            "Green": leaf,
            "Twig": {"type": "array", "items": {"$ref": "#/$defs/Leaf"}, "$defs": {"Leaf": leaf}},
            "Loop": {"$ref": "#/$defs/Loop", "$defs": {"Loop": loop}},
        }[cls.__name__]


@pytest.mark.parametrize("order", [("Green", "Twig"), ("Twig", "Green")])
def test_definitions_that_are_the_same_are_there_once(
    make_runtime: MakeRuntime, order: tuple[str, str]
) -> None:
    classes = {name: type(name, (), {"__doc__": None}) for name in ("Green", "Twig", "Loop")}

    class Plugin:
        @hookimpl
        def pycom_types(self) -> Any:
            return dict.fromkeys(classes.values(), Sharing())

    schemas = Schemas(make_runtime({"sharing": Plugin()}).types)
    found = schemas.complete({name: schemas.of(classes[name]) for name in (*order, "Loop")})
    assert found["$defs"].keys() == {"Leaf", "Twig", "Loop"}
    assert found["Green"] == found["$defs"]["Twig"]["items"] == {"$ref": "#/$defs/Leaf"}
    assert found["Loop"] == {"$ref": "#/$defs/Loop"}


@dataclasses.dataclass
class Known:
    a: int
    b: list[int] = dataclasses.field(default_factory=list)


def test_methods_without_such_types_are_decoded_as_ever(runtime: Runtime) -> None:
    asked: list[Any] = []

    class Watching:
        @hookimpl
        def pycom_types(self) -> Any:
            asked.append(None)

    @pycom.interface("com.foo.foreign")
    class Foreign:
        @pycom.method
        def add(self, request: Any, a: int, b: list[float], c: Order | None = None) -> int:
            return a

    runtime.plugins.register(Watching(), "watching")

    @pycom.interface("com.foo.simple")
    class Simple:
        @pycom.method
        def add(self, request: Any, a: int, b: list[float], c: Known | None = None) -> Known:
            return Known(a)

    server = ServiceServer(["local://a"], [Simple], runtime)
    assert call(server, "com.foo.simple", "add", {"a": 1, "b": []})["result"] == {"a": 1, "b": []}
    assert asked == []
    ServiceServer(["local://b"], [Foreign], runtime)
    assert asked
