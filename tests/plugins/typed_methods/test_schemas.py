"""JSON Schemas of types, and of methods."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypedDict, TypeVar

import attrs
import msgspec
import pytest
from in_process import MakeRuntime, call
from plugins.typed_methods.store import NAME, Store

import pycom
from pycom_core import Future, ServiceServer
from pycom_core.wire._type_codecs import TypeCodecs
from pycom_plugins.typed_methods.schemas import Schemas

T = TypeVar("T")

NO_PLUGINS = TypeCodecs(dict, lambda cls, what: what)
TEXT = {"type": "string"}
WHOLE = {"type": "integer"}
ANY: dict[str, Any] = {}
INTEGER = {"pattern": "^-?[0-9]+$"}


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


TYPES: list[tuple[Any, dict[str, Any]]] = [
    (Any, ANY),
    (None, {"type": "null"}),
    (bool, {"type": "boolean"}),
    (int, WHOLE),
    (float, {"type": "number"}),
    (str, TEXT),
    (bytes, {"type": "string", "contentEncoding": "base64"}),
    (datetime.datetime, {"type": "string", "format": "date-time"}),
    (datetime.date, {"type": "string", "format": "date"}),
    (datetime.time, {"type": "string", "format": "time"}),
    (datetime.timedelta, {"type": "string", "format": "duration"}),
    (uuid.UUID, {"type": "string", "format": "uuid"}),
    (decimal.Decimal, {"type": "string", "format": "decimal"}),
    (list, {"type": "array", "items": ANY}),
    (Sequence[int], {"type": "array", "items": WHOLE}),
    (tuple[int, ...], {"type": "array", "items": WHOLE}),
    (set[str], {"type": "array", "items": TEXT, "uniqueItems": True}),
    (
        tuple[int, str],
        {"type": "array", "prefixItems": [WHOLE, TEXT], "minItems": 2, "maxItems": 2},
    ),
    (dict, {"type": "object", "additionalProperties": ANY}),
    (Mapping[int, str], {"type": "object", "propertyNames": INTEGER, "additionalProperties": TEXT}),
    *(
        (dict[key, None], {  # type: ignore[valid-type, misc]
            "type": "object",
            **({"propertyNames": names} if names else {}),
            "additionalProperties": {"type": "null"},
        })
        for key, names in [
            (str, {}),
            (Any, {}),
            (str | int, {}),
            (bool, {}),
            (Annotated[str, msgspec.Meta(min_length=1)], {"minLength": 1}),
            (uuid.UUID, {"type": "string", "format": "uuid"}),
            (uuid.UUID | int, {"anyOf": [{"type": "string", "format": "uuid"}, INTEGER]}),
            (Literal["a", "b"], {"enum": ["a", "b"]}),
            (Literal[1], {"enum": ["1"]}),
            (Level, {"enum": ["1", "2"]}),
        ]
    ),
    (
        Annotated[datetime.datetime, msgspec.Meta(tz=True)],
        {"type": "string", "format": "date-time", "pattern": "(Z|[-+][0-9:]+)$"},
    ),
    (
        Annotated[datetime.time, msgspec.Meta(tz=False)],
        {"type": "string", "format": "time", "pattern": "^([0-9-]+T)?[0-9:.]+$"},
    ),
    (Literal["b", "a", 1, None], {"enum": ["a", "b", 1, None]}),
    (int | None, {"anyOf": [WHOLE, {"type": "null"}]}),
    (datetime.date | None, {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}),
    (
        Annotated[int, msgspec.Meta(ge=0, lt=9)],
        {"type": "integer", "minimum": 0, "exclusiveMaximum": 9},
    ),
    (Annotated[float, msgspec.Meta(multiple_of=0.5)], {"type": "number", "multipleOf": 0.5}),
    (
        Annotated[str, msgspec.Meta(min_length=1, pattern="a", description="A word.")],
        {"type": "string", "minLength": 1, "pattern": "a", "description": "A word."},
    ),
    (
        Annotated[list[str], msgspec.Meta(max_length=2)],
        {"type": "array", "items": TEXT, "maxItems": 2},
    ),
    (
        Annotated[dict[str, str], msgspec.Meta(min_length=1)],
        {"type": "object", "additionalProperties": TEXT, "minProperties": 1},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "schema"), TYPES, ids=str)
def test_types(type_: Any, schema: dict[str, Any]) -> None:
    found = Schemas(NO_PLUGINS).of(type_)
    for literal in (found, schema):
        if "enum" in literal:
            literal["enum"] = sorted(literal["enum"], key=repr)
    assert found == schema


class Color(enum.Enum):
    """The look of a thing."""

    RED = "red"
    BLUE = "blue"


@attrs.define
class Node:
    """A node."""

    value: int
    color: Color = Color.RED
    next: Node | None = None
    children: list[Node] = attrs.field(factory=list)
    _secret: int = 0


@dataclasses.dataclass
class Box(Generic[T]):
    content: T


class Point(NamedTuple):
    x: int
    y: int = 0


class Options(TypedDict, total=False):
    depth: int


class Closed(msgspec.Struct, tag_field="kind", tag="closed", forbid_unknown_fields=True):
    depth: int = msgspec.field(name="Depth")
    note: str | msgspec.UnsetType = msgspec.UNSET


class Short(msgspec.Struct, omit_defaults=True):
    depth: int = 0


class Row(msgspec.Struct, array_like=True, tag=True):
    x: int
    y: int = 0


def complete(type_: Any, results: bool = False) -> dict[str, Any]:
    schemas = Schemas(NO_PLUGINS, results)
    return schemas.complete(schemas.of(type_))["$defs"]  # type: ignore[no-any-return]


def test_class_that_refers_to_itself() -> None:
    node = {"$ref": "#/$defs/Node"}
    expected = {
        "Node": {
            "title": "Node",
            "description": "A node.",
            "type": "object",
            "properties": {
                "value": WHOLE,
                "color": {"$ref": "#/$defs/Color", "default": "red"},
                "next": {"anyOf": [node, {"type": "null"}], "default": None},
                "children": {"type": "array", "items": node},
                "_secret": {"type": "integer", "default": 0},
            },
            "required": ["value"],
        },
        "Color": {"title": "Color", "description": "The look of a thing.", "enum": ["red", "blue"]},
    }
    assert complete(Node) == expected
    node_of_results = complete(Node, results=True)["Node"]
    # Private fields of attrs classes are read, but not written.
    assert node_of_results["required"] == ["value", "color", "next", "children"]
    assert "_secret" not in node_of_results["properties"]


def test_other_classes() -> None:
    assert complete(Box[int])["Box_int"] == {
        "title": "Box[int]",
        "type": "object",
        "properties": {"content": WHOLE},
        "required": ["content"],
    }
    assert complete(Point)["Point"] == {
        "title": "Point",
        "type": "array",
        "prefixItems": [WHOLE, {"type": "integer", "default": 0}],
        "minItems": 1,
        "maxItems": 2,
    }
    assert complete(Point, results=True)["Point"]["minItems"] == 2
    for results in (False, True):
        assert complete(Options, results)["Options"]["required"] == []
        assert complete(Short, results)["Short"]["required"] == []
        assert complete(Closed, results)["Closed"] == {
            "title": "Closed",
            "type": "object",
            "properties": {"kind": {"enum": ["closed"]}, "Depth": WHOLE, "note": TEXT},
            "required": ["kind", "Depth"],
            "additionalProperties": False,
        }
    row = complete(Row)["Row"]
    assert row["prefixItems"][0] == {"enum": ["Row"]}
    assert (row["minItems"], row["maxItems"]) == (2, 3)


def test_one_name_for_each_class() -> None:
    other = attrs.make_class("Node", {"text": attrs.field(type=str)})
    schemas = Schemas(NO_PLUGINS)
    assert schemas.of(list[Node])["items"] == {"$ref": "#/$defs/Node"}
    assert schemas.of(other) == {"$ref": "#/$defs/Node_2"}
    assert schemas.of(Node) == {"$ref": "#/$defs/Node"}
    assert schemas.complete(schemas.of(other))["$defs"].keys() == {"Node_2"}


class Odd:
    pass


@attrs.define
class Holder:
    node: Node
    holder: Holder | None
    odd: Odd


def test_what_json_does_not_know() -> None:
    schemas = Schemas(NO_PLUGINS)
    for _ in range(2):  # no half of it is left
        with pytest.raises(TypeError, match="Odd'> is nothing that JSON knows"):
            schemas.of(Holder)
    assert Schemas(NO_PLUGINS).default(Odd()) == {}
    assert Schemas(NO_PLUGINS).default(Color.BLUE) == {"default": "blue"}


# Of methods.


@pytest.fixture
def found(make_runtime: MakeRuntime) -> Any:
    server = ServiceServer(["local://store"], [Store], make_runtime())
    return call(server, NAME, "introspect")["result"]["methods"]


def test_method(found: Any) -> None:
    schema = found["items"]["schema"]
    item = {"type": "array", "items": {"$ref": "#/$defs/Item"}}
    definitions = schema["arguments"].pop("$defs")
    assert schema["arguments"] == {
        "type": "object",
        "properties": {"items": item},
        "required": ["items"],
    }
    assert definitions.keys() == {"Item", "Color"}
    assert schema["result"].pop("$defs").keys() == definitions.keys()
    assert schema["result"] == item


def test_optional_and_free_arguments(found: Any) -> None:
    assert found["partly"]["schema"] == {
        "arguments": {
            "type": "object",
            "properties": {
                "free": {},
                "count": {"type": "integer"},
                "rest": {"default": None},
                "last": {"type": "string", "default": "z"},
            },
            "required": ["free", "count"],
        },
        "result": {},
    }
    limited = found["limits"]["schema"]["arguments"]["properties"]["count"]
    assert limited == {"type": "integer", "minimum": 1, "maximum": 9, "default": 1}
    assert list(found["keywords"]["schema"]["arguments"]["properties"]) == ["a", "b"]


def test_attachments_and_named_results(found: Any) -> None:
    assert found["mirror"]["schema"] == {
        "arguments": {"type": "object", "properties": {"times": WHOLE}, "required": ["times"]},
        "result": {"type": "object", "properties": {"size": WHOLE}, "required": ["size"]},
    }
    one = found["one"]["schema"]["result"]
    assert one["properties"] == {"one": {"$ref": "#/$defs/Item"}}
    assert one["$defs"]["Item"]["required"] == ["name", "price", "color", "parts"]


def test_nothing_is_said_of_methods_without_annotations(found: Any) -> None:
    assert [name for name in found if "schema" not in found[name]] == [
        "anything", "introspect", "plain"
    ]  # fmt: skip


def test_results_of_any_kind_are_no_fault(make_runtime: MakeRuntime) -> None:
    @pycom.interface("com.foo.results")
    class Results:
        introspection_data: dict[str, Any] = {}  # noqa: RUF012

        @pycom.method
        def odd(self, request: Any) -> Future:
            raise NotImplementedError

        @pycom.method(results=("a", "b"))
        def fewer(self, request: Any) -> tuple[int]:
            raise NotImplementedError

        @pycom.method(results=("a", "b"))
        def many(self, request: Any) -> tuple[int, ...]:
            raise NotImplementedError

        @pycom.method(results=("a",))
        def single(self, request: Any) -> int:
            raise NotImplementedError

    server = ServiceServer(["local://a"], [Results], make_runtime())
    methods = call(server, "com.foo.results", "introspect")["result"]["methods"]
    results = {name: info["schema"]["result"] for name, info in methods.items() if "schema" in info}
    assert results["odd"] == {}
    assert results["fewer"]["properties"] == {"a": {}, "b": {}}
    assert results["many"]["properties"] == {"a": {}, "b": {}}
    assert results["single"]["properties"] == {"a": WHOLE}
