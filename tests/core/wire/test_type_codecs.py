"""Codecs of plugins: found, used, and named when they fail."""

from __future__ import annotations

import asyncio
import datetime
import gc
import json
import sys
import uuid
import weakref
from collections import UserString
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import msgspec
import pytest
from in_process import Distributions, MakeRuntime, call, running

import pycom
from pycom_core import LocalTransport, Runtime, ServiceServer, Settings, TypeCodec, hookimpl
from pycom_core.errors import PluginError, PluginFailed, PycomError
from pycom_core.process._doctor import diagnosed, examine
from pycom_core.wire import _codec as codec

T = TypeVar("T")


class Money:
    """Not known to JSON."""

    def __init__(self, cents: int) -> None:
        self.cents = cents


class Euros(Money):
    pass


class Box(Generic[T]):
    pass


class Cents(TypeCodec):
    """Money as an integer."""

    def decode(self, cls: Any, value: Any) -> Any:
        if type(value) is not int:
            raise ValueError("no cents")
        return cls(value)

    def encode(self, value: Any) -> Any:
        return value.cents


class Text(Cents):
    def encode(self, value: Any) -> Any:
        return f"{value.cents / 100:.2f} EUR"


class Broken(TypeCodec):
    def decode(self, cls: Any, value: Any) -> Any:
        raise KeyError(value)

    def encode(self, value: Any) -> Any:
        raise OSError("no such disk")

    def schema(self, cls: Any, result: bool) -> Mapping[str, Any]:
        raise KeyError("schema")


class Giving:
    """A plugin that contributes codecs, and counts how often it is asked."""

    def __init__(self, given: Any) -> None:
        self.given, self.asked = given, 0

    @hookimpl
    def pycom_types(self) -> Any:
        self.asked += 1
        return self.given


def wire(runtime: Any, value: Any) -> Any:
    encoded = codec.dict_to_wire({"value": value}, False, runtime.types.encoder)
    return json.loads(encoded)["value"]


# Finding.


def test_the_nearest_base_counts(make_runtime: MakeRuntime) -> None:
    both = {"a": Giving({Money: Cents()}), "b": Giving({Euros: Text()})}
    types = make_runtime(both).types
    assert types.encode(Money(250)) == 250
    assert types.encode(Euros(250)) == "2.50 EUR"
    assert types.knows(type("Pennies", (Money,), {}))
    assert not types.knows(object)
    assert not types.knows(Any)
    assert not types.knows(T)


def test_a_generic_class_is_known_by_its_origin(make_runtime: MakeRuntime) -> None:
    class Boxes(Cents):
        def decode(self, cls: Any, value: Any) -> Any:
            return cls()

    types = make_runtime({"a": Giving({Box: Boxes()})}).types
    assert types.knows(Box[int])
    assert isinstance(types.decode(Box[int], 3), Box)


def test_plugins_are_asked_only_when_a_type_is_met_that_is_no_json(
    make_runtime: MakeRuntime,
) -> None:
    plugin = Giving({Money: Cents()})
    runtime = make_runtime({"giving": plugin})
    assert wire(runtime, [{"a": 1, None: True}, "\ud800"]) == [{"a": 1, "null": True}, "\ud800"]
    assert plugin.asked == 0
    assert wire(runtime, [Money(1), Money(2)]) == [1, 2]
    assert plugin.asked == 1


def test_plugins_that_come_and_go_are_seen(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    assert not runtime.types.knows(Money)
    runtime.plugins.register(Giving({Money: Cents()}), "giving")
    assert runtime.types.knows(Money)
    assert wire(runtime, Money(3)) == 3
    runtime.plugins.unregister("giving")
    assert not runtime.types.knows(Money)
    with pytest.raises(TypeError, match="^value: .*Money is nothing that JSON knows"):
        wire(runtime, Money(3))
    with pytest.raises(TypeError, match="no plugin knows .*Money any more"):
        runtime.types.decode(Money, 3)


def test_runtimes_know_nothing_of_each_other(make_runtime: MakeRuntime) -> None:
    runtime, other = make_runtime({"a": Giving({Money: Cents()})}), make_runtime()
    assert runtime.types.knows(Money)
    assert not other.types.knows(Money)


def test_classes_that_were_met_are_not_kept(make_runtime: MakeRuntime) -> None:
    types = make_runtime({"a": Giving({Money: Cents()})}).types
    met = type("Met", (Money,), {})
    assert types.knows(met)
    gone = weakref.ref(met)
    del met
    gc.collect()
    assert gone() is None


def test_a_runtime_that_is_dropped_keeps_no_types(make_runtime: MakeRuntime) -> None:
    runtime = Runtime(Settings(), transport=LocalTransport())
    gone = weakref.ref(runtime.types)
    runtime.close()
    del runtime
    gc.collect()
    assert gone() is None


# What may be encoded.


def test_codecs_go_before_what_would_do_too(make_runtime: MakeRuntime) -> None:
    class Sku(str):
        __slots__ = ()

    class Upper(Cents):
        def encode(self, value: Any) -> Any:
            return value.upper()

    assert wire(make_runtime(), Sku("a")) == "a"
    assert wire(make_runtime({"a": Giving({Sku: Upper()})}), Sku("a")) == "A"


def test_codecs_may_give_what_other_codecs_know(make_runtime: MakeRuntime) -> None:
    class Purses(Cents):
        def encode(self, value: Any) -> Any:
            return {"money": [Money(1), {None: Euros(2)}]}

    class Purse:
        pass

    runtime = make_runtime({"a": Giving({Money: Cents(), Purse: Purses()})})
    assert wire(runtime, [Purse()]) == [{"money": [1, {"null": 2}]}]
    assert wire(runtime, ["\ud800", Purse()])[1] == {"money": [1, {"null": 2}]}


@pycom.interface("com.foo.vault")
class Bank(pycom.Service):
    @pycom.method
    def echo(self, request, money):  # type: ignore[no-untyped-def]
        return [Money(money), {"more": Euros(1)}]


def test_hook_pycom_types(make_runtime: MakeRuntime) -> None:
    """Arguments and results are encoded, without annotations too."""
    runtime = make_runtime({"giving": Giving({Money: Cents()})})
    with running(ServiceServer(["local://bank"], [Bank], runtime)):
        context = pycom.Context(runtime=runtime)
        with context.connect("local://bank", "com.foo.vault") as bank:
            assert bank.invoke("echo", {"money": Money(3)}) == [3, {"more": 1}]


def test_arguments_of_asyncio_are_encoded(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime({"giving": Giving({Money: Cents()})})

    async def echo() -> Any:
        async with pycom.AsyncContext(runtime=runtime) as context:
            bank = await context.connect("local://bank", "com.foo.vault")
            return await bank.invoke("echo", {"money": Money(3)})

    with running(ServiceServer(["local://bank"], [Bank], runtime)):
        assert asyncio.run(echo()) == [3, {"more": 1}]


# Failures name the plugin.


def test_a_codec_that_fails_names_plugin_class_and_place(make_runtime: MakeRuntime) -> None:
    types = make_runtime({"bad": Giving({Money: Broken()})})
    with pytest.raises(
        TypeError,
        match=r"^value\[1\]: The plugin 'bad' \(registered by hand\) failed to encode \S*Euros: "
        r"OSError\('no such disk'\). Fix it",
    ) as caught:
        wire(types, [1, Euros(2)])
    assert isinstance(caught.value.__cause__, PluginFailed)
    with pytest.raises(PluginFailed, match=r"plugin 'bad' .* failed to decode \S*Euros: KeyError"):
        types.types.decode(Euros, "x")
    with pytest.raises(PluginError, match=r"plugin 'bad' .* failed to describe \S*Money: KeyError"):
        types.types.schema(Money, result=False)


class Given(TypeCodec):
    """A codec with prepared results."""

    def __init__(self, given: Any = None, schema: Any = None) -> None:
        self.given, self.said = given, schema

    def decode(self, cls: Any, value: Any) -> Any:
        return self.given

    def encode(self, value: Any) -> Any:
        return value if self.given == "itself" else self.given

    def schema(self, cls: Any, result: bool) -> Any:
        return self.said


@pytest.mark.parametrize("given", [None, 3, Box(), Money])
def test_what_is_decoded_to_something_else_names_the_plugin(
    given: Any, make_runtime: MakeRuntime
) -> None:
    types = make_runtime({"bad": Giving({Money: Given(given)})}).types
    with pytest.raises(PluginFailed, match=r"plugin 'bad' .* give an object of \S*Money\. Fix"):
        types.decode(Money, 3)


@pytest.mark.parametrize("given", ["itself", object(), Box(), pytest])
def test_what_is_encoded_as_no_json_names_the_plugin(given: Any, make_runtime: MakeRuntime) -> None:
    runtime = make_runtime({"bad": Giving({Money: Given(given)})})
    with pytest.raises(TypeError, match=r"^value\[0\]: The plugin 'bad' .* to encode \S*Money: "):
        wire(runtime, [Money(1)])


@pytest.mark.parametrize("given", [datetime.date(2026, 11, 1), UserString("2026-11-01")])
def test_what_is_encoded_as_json_in_the_end(given: Any, make_runtime: MakeRuntime) -> None:
    assert wire(make_runtime({"a": Giving({Money: Given(given)})}), Money(1)) == "2026-11-01"


NO_SCHEMAS: list[Any] = [
    *(None, "string", True, [], {"type": 3}, {"minimum": "3"}, {"minimum": float("nan")}),
    *({"properties": ["a"]}, {"properties": {"a": {"items": 3}}}, {"anyOf": {}}, {"enum": 3}),
    *({"$defs": {"A": None}}, {"required": "a"}, {"minLength": -1}, {"multipleOf": 0}),
    *({"description": object()}, {1: object()}, {"pattern": 3}, {"$ref": None}),
]


@pytest.mark.parametrize("schema", NO_SCHEMAS)
def test_what_is_no_schema_names_the_plugin(schema: Any, make_runtime: MakeRuntime) -> None:
    types = make_runtime({"bad": Giving({Money: Given(schema=schema)})}).types
    with pytest.raises(PluginError, match=r"plugin 'bad' .* described \S*Money by .* no JSON Sch"):
        types.schema(Money, result=False)


def test_schema_is_json(make_runtime: MakeRuntime) -> None:
    said = MappingProxyType({"enum": ("a", 1), "examples": MappingProxyType({}), "items": True})
    types = make_runtime({"a": Giving({Money: Given(schema=said)})}).types
    assert types.schema(Money, result=False) == {"enum": ["a", 1], "examples": {}, "items": True}


def test_codec_that_exits_names_the_plugin(make_runtime: MakeRuntime) -> None:
    class Exits(TypeCodec):
        def decode(self, cls: Any, value: Any) -> Any:
            sys.exit(3)

        def encode(self, value: Any) -> Any:
            sys.exit(3)

        def schema(self, cls: Any, result: bool) -> Any:
            sys.exit(3)

    types = make_runtime({"bad": Giving({Money: Exits()})}).types
    for kind, called in {
        "decode": lambda: types.decode(Money, 3),
        "encode": lambda: types.encode(Money(3)),
        "describe": lambda: types.schema(Money, False),
    }.items():
        with pytest.raises(PycomError, match=f"plugin 'bad' .* failed to {kind} .*SystemExit"):
            called()


def test_a_value_that_a_codec_refuses_is_no_failure_of_the_plugin(
    make_runtime: MakeRuntime,
) -> None:
    class Halves(Cents):
        def decode(self, cls: Any, value: Any) -> Any:
            return cls(1 / value)

    types = make_runtime({"a": Giving({Money: Cents(), Box: Halves()})}).types
    with pytest.raises(ValueError, match="no cents"):
        types.decode(Money, "x")
    with pytest.raises(ValueError, match="division by zero"):
        types.decode(Box, 0)
    with pytest.raises(TypeError, match="unsupported operand"):
        types.decode(Box, "x")


def test_the_answer_says_nothing_and_the_log_all(
    make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = make_runtime({"bad": Giving({Money: Broken()})})
    server = ServiceServer(["local://bank"], [Bank], runtime)
    answer = call(server, "com.foo.vault", "echo", {"money": 1})
    assert answer == {"code": 1, "error": "Unknown error during request"}
    assert "result[0]: The plugin 'bad'" in caplog.text


class Short(Cents):
    def decode(self, value: Any) -> Any:  # type: ignore[override]
        return Money(value)


class Awaited(Cents):
    async def encode(self, value: Any) -> Any:
        return value.cents


class Dated(msgspec.Struct):
    pass


WRONG: dict[str, tuple[Any, str]] = {
    "no mapping": ([Money], "returned list from pycom_types"),
    "no class": ({"Money": Cents()}, "contributes 'Money' to pycom_types, where names are type"),
    "a class": ({Money: Cents}, "which must be an object of a subclass of TypeCodec"),
    "a function": ({Money: str}, "which must be an object of a subclass of TypeCodec"),
    "decodes without a class": (
        {Money: Short()},
        r"must have def decode\(self, cls, value\), and has another decode",
    ),
    "async": ({Money: Awaited()}, r"must have def encode\(self, value\), and has another encode"),
    "what JSON has": ({int: Cents()}, "which would never be asked: such objects are JSON"),
    "what travels": ({Dated: Cents()}, "which would never be asked"),
    "what is a list": ({type("Some", (list,), {}): Cents()}, "which would never be asked"),
    "what is a set": ({type("Some", (frozenset,), {}): Cents()}, "which would never be asked"),
    "what is an id": ({type("Some", (uuid.UUID,), {}): Cents()}, "which would never be asked"),
}


@pytest.mark.parametrize(("given", "message"), WRONG.values(), ids=WRONG)
def test_wrong_contributions(make_runtime: MakeRuntime, given: Any, message: str) -> None:
    runtime = make_runtime({"bad": Giving(given)})
    with pytest.raises(PluginError, match=message) as caught:
        runtime.types.knows(Money)
    assert "The plugin 'bad' (registered by hand)" in str(caught.value)
    with pytest.raises(TypeError, match="^value: The plugin 'bad'"):
        wire(runtime, Money(1))


@pytest.mark.parametrize(("given", "message"), WRONG.values(), ids=WRONG)
def test_wrong_contributions_are_seen_at_the_start_in_development(
    make_runtime: MakeRuntime, given: Any, message: str
) -> None:
    with pytest.raises(PluginError, match=message):
        make_runtime({"bad": Giving(given)}, development=True)


def test_a_hook_that_fails(make_runtime: MakeRuntime) -> None:
    class Failing:
        @hookimpl
        def pycom_types(self) -> Any:
            raise ImportError("No module named 'pydantic'")

    with pytest.raises(PluginError, match="plugin 'bad' .* failed in pycom_types: ImportError"):
        make_runtime({"bad": Failing()}).types.knows(Money)


def test_two_plugins_that_know_one_class(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime({"a": Giving({Money: Cents()}), "b": Giving({Money: Text()})})
    with pytest.raises(PluginError, match="plugin 'a' .* plugin 'b' .* both contribute .*Money"):
        runtime.types.knows(Money)


def test_types_are_shown_with_their_plugin(
    distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    distributions.plugin(
        "purse",
        """
        import fractions
        from pycom_core import TypeCodec

        class Halves(TypeCodec):
            def decode(self, cls, value):
                return cls(value)

            def encode(self, value):
                return str(value)

        @hookimpl
        def pycom_types():
            return {fractions.Fraction: Halves()}
        """,
    )
    [found] = [one for one in examine(diagnosed(Settings())) if one["name"] == "purse"]
    assert found["contributions"] == {"pycom_types": ["fractions.Fraction"]}


def test_it_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        TypeCodec()  # type: ignore[abstract]
    assert Cents().schema(Money, result=True) == {}
