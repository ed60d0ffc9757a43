"""JSON Schemas as types, as persons read them."""

from __future__ import annotations

from typing import Any

import pytest

from pycom_plugins.descriptions.types import ANYTHING, Type, declaration, kind_of

TREE = {"title": "Tree", "type": "object", "properties": {"left": {"$ref": "#/$defs/Tree"}}}


def array(**schema: Any) -> dict[str, Any]:
    return {"type": "array", **schema}


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({}, "Any"),
        ({"type": "null"}, "None"),
        ({"type": "boolean"}, "bool"),
        ({"type": "integer"}, "int"),
        ({"type": "number"}, "float"),
        ({"type": "string"}, "str"),
        ({"type": ["integer", "null"]}, "int | None"),
        ({"type": "strange"}, "strange"),
        ({"type": "string", "format": "date-time"}, "datetime"),
        ({"type": "string", "format": "uuid"}, "UUID"),
        ({"type": "string", "format": "email"}, "email"),
        ({"type": "string", "contentEncoding": "base64"}, "bytes"),
        (array(), "list[Any]"),
        (array(items={"type": "integer"}), "list[int]"),
        (array(items=array(items={"type": "string"})), "list[list[str]]"),
        (array(items={"type": "integer"}, uniqueItems=True), "set[int]"),
        (array(prefixItems=[{"type": "integer"}, {}], minItems=2, maxItems=2), "tuple[int, Any]"),
        ({"type": "object"}, "dict[str, Any]"),
        ({"type": "object", "additionalProperties": {"type": "null"}}, "dict[str, None]"),
        ({"type": "object", "additionalProperties": False}, "dict[str, Any]"),
        ({"enum": [1, "a", None]}, '1 | "a" | null'),
        ({"enum": ["ü"]}, '"ü"'),
        ({"enum": []}, "Never"),
        ({"const": "a"}, '"a"'),
        ({"const": None, "type": "null"}, "null"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "int | None"),
        ({"oneOf": [{"type": "integer"}, {"const": "a"}]}, 'int | "a"'),
        (
            {"anyOf": [{"anyOf": [{"type": "string"}, {"type": "null"}]}, {"enum": [1]}]},
            "str | None | 1",
        ),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "int (minimum 1, maximum 9)"),
        ({"type": "string", "pattern": "a+"}, 'str (pattern "a+")'),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "integer"}, "b": {"type": "string", "default": "x"}},
                "required": ["a", "unknown"],
            },
            '{a: int, b: str = "x"}',
        ),
        ({"$ref": "#/$defs/Tree"}, "Tree"),
        ({"$ref": "#/$defs/Alias"}, "Tree"),
        ({"$ref": "#/$defs/Missing"}, "Missing"),
        ({"$ref": "elsewhere"}, "Any"),
        (array(items={"$ref": "#/$defs/Tree"}), "list[Tree]"),
    ],
)
def test_text(schema: dict[str, Any], text: str) -> None:
    definitions = {"Tree": TREE, "Alias": {"$ref": "#/$defs/Tree"}}
    assert str(Type(schema, definitions)) == text


CHOICES = [{"$ref": "#/$defs/Tree"}, {"type": "null"}]


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (TREE, "{left: Tree = …}"),
        ({"title": "Pet", "oneOf": CHOICES, "discriminator": {}}, "Tree | None"),
        ({"title": "Pet", "anyOf": CHOICES[:1]}, "Tree"),
        ({"title": "Pet"}, "Any"),
    ],
)
def test_meaning_of_a_name(schema: dict[str, Any], text: str) -> None:
    assert Type(schema, {"Tree": TREE}).bare() == text


@pytest.mark.parametrize("value", [None, 5, "text", [], {}, True])
@pytest.mark.parametrize(
    "key",
    [
        "$ref",
        "anyOf",
        "const",
        "enum",
        "items",
        "oneOf",
        "prefixItems",
        "properties",
        "required",
        "title",
        "type",
    ],
)
def test_what_is_not_understood_may_be_anything(key: str, value: Any) -> None:
    type_ = Type({key: value})
    assert isinstance(str(type_), str)
    assert type_.required == []
    assert type_.resolved() == (type_ if not type_.reference else ANYTHING)


@pytest.mark.parametrize(
    "definitions",
    [
        {"A": {"$ref": "#/$defs/A"}},
        {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}},
        {"A": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}},
        {"A": {"anyOf": [{"$ref": "#/$defs/B"}]}, "B": {"anyOf": [{"$ref": "#/$defs/A"}]}},
    ],
)
def test_references_that_go_in_a_circle_end(definitions: dict[str, Any]) -> None:
    type_ = Type({"$ref": "#/$defs/A"}, definitions)
    assert str(type_) == "A"
    assert type_.alternatives != []


def test_required_are_properties_that_are_there() -> None:
    schema = {"properties": {"a": {}, "b": {}}, "required": ["b", "unknown", 5]}
    assert Type(schema).required == ["b"]


def test_parts_know_the_definitions() -> None:
    tree = Type({"$ref": "#/$defs/Tree"}, {"Tree": TREE})
    left = tree.resolved().properties["left"]
    assert left.resolved().schema == TREE
    assert (tree.title, left.title) == ("Tree", "Tree")


@pytest.mark.parametrize(
    ("schema", "required", "text"),
    [
        ({"type": "integer"}, True, "count: int"),
        ({"type": "integer", "default": 1}, True, "count: int"),
        ({"type": "integer", "default": 1}, False, "count: int = 1"),
        ({"type": "integer", "default": None}, False, "count: int = null"),
        ({"type": "integer"}, False, "count: int = …"),
    ],
)
def test_declaration(schema: dict[str, Any], required: bool, text: str) -> None:
    assert declaration("count", Type(schema), required) == text


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (True, "boolean"),
        (1, "integer"),
        (1.5, "number"),
        ("", "string"),
        ([], "array"),
        ({}, "object"),
    ],
)
def test_kinds_of_values(value: Any, kind: str) -> None:
    assert kind_of(value) == kind
    assert Type({"enum": [value, value]}).kinds == [kind]
    assert Type({"const": value}).kinds == [kind]
