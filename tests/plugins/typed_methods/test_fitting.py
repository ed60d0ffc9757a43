"""JSON values beside the schemas that they should fit."""

from __future__ import annotations

from typing import Any

import pytest

from pycom_plugins.typed_methods.fitting import misfit

INT, TEXT, NULL = {"type": "integer"}, {"type": "string"}, {"type": "null"}
ITEM = {"title": "Item", "type": "object", "properties": {"n": INT, "s": TEXT}, "required": ["n"]}
NODE = {"title": "Node", "type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
DEFS = {
    "Item": ITEM,
    "Node": NODE,
    "Alias": {"$ref": "#/$defs/Item"},
    "Loop": {"$ref": "#/$defs/Loop"},
}
ITEM_REF = {"$ref": "#/$defs/Item"}

FITS: list[tuple[Any, Any]] = [
    ({}, None),
    ({}, {"a": [1]}),
    (INT, 3),
    ({"type": "number"}, 3),
    ({"type": "number"}, 3.5),
    ({"type": ["string", "null"]}, None),
    ({"enum": ["a", None, 1]}, None),
    ({"const": 3}, 3),
    ({"anyOf": [INT, NULL]}, None),
    ({"oneOf": [INT, ITEM_REF]}, {"n": 1}),
    ({"allOf": [INT, {"minimum": 3}]}, 3),
    ({"type": "integer", "minimum": 0, "exclusiveMaximum": 3}, 2),
    ({"type": "string", "minLength": 1, "maxLength": 2, "pattern": "^a"}, "ab"),
    ({"type": "string", "pattern": "(?P<a>a)(?<b>"}, "another dialect"),
    ({"type": "array", "items": INT, "minItems": 1, "maxItems": 2}, [1, 2]),
    ({"type": "array", "prefixItems": [INT, TEXT], "minItems": 1}, [1]),
    ({"type": "array", "prefixItems": [INT], "items": TEXT}, [1, "a", "b"]),
    ({"type": "object", "additionalProperties": INT}, {"a": 1}),
    ({"type": "object", "propertyNames": {"pattern": "^a"}}, {"a": 1, "ab": []}),
    ({"type": "object", "propertyNames": False}, {}),
    ({"type": "number", "multipleOf": 0.1}, 0.3),
    ({"type": "integer", "multipleOf": 3}, 3 * 10**400),
    ({"type": "array", "uniqueItems": True}, [1, "1", [1], {"a": 1}, True, None]),
    ({"type": "array", "uniqueItems": False}, [1, 1]),
    ({"type": "object", "additionalProperties": True}, {"a": 1}),
    (ITEM_REF, {"n": 1, "more": None}),
    ({"$ref": "#/$defs/Alias"}, {"n": 1}),
    ({"$ref": "#/$defs/Loop"}, {"n": 1}),
    ({"$ref": "#/$defs/Missing"}, 3),
    ({"$ref": "https://example.org/schema"}, 3),
    ({"$ref": "#/$defs/Node"}, {"next": {"next": {}}}),
    ({"type": "string", "format": "date-time"}, "2026-11-01T12:00:00Z"),
    ({"type": "string", "format": "date"}, "2026-11-01"),
    ({"type": "string", "format": "time"}, "12:00:00"),
    ({"type": "string", "format": "duration"}, "PT60S"),
    ({"type": "string", "format": "uuid"}, "12345678-1234-5678-1234-567812345678"),
    ({"type": "string", "format": "decimal"}, "1.50"),
    ({"type": "string", "format": "email"}, "unknown formats ask for nothing"),
    ({"type": "string", "contentEncoding": "base64"}, "aGk="),
]


@pytest.mark.parametrize(("schema", "value"), FITS)
def test_fits(schema: Any, value: Any) -> None:
    assert misfit(value, {**schema, "$defs": DEFS}, "result") is None


MISFITS: list[tuple[Any, Any, str]] = [
    (INT, "3", 'result: expected int, got "3"'),
    (INT, 3.5, "result: expected int, got 3.5"),
    (INT, True, "result: expected int, got true"),
    ({"type": "number"}, None, "result: expected float, got null"),
    (
        {"type": "object", "properties": {"article": {"title": "Article", "type": "string"}}},
        {"article": 3},
        "result.article: expected str, got 3",
    ),
    ({"type": "boolean"}, 1, "result: expected bool, got 1"),
    (TEXT, [], "result: expected str, got array"),
    (NULL, {}, "result: expected null, got object"),
    ({"type": ["string", "null"]}, 1, "result: expected str | null, got 1"),
    ({"enum": ["a", 1]}, True, 'result: expected "a" | 1, got true'),
    ({"const": 3}, 4, "result: expected 3, got 4"),
    ({"anyOf": [INT, NULL]}, "x", 'result: expected int | null, got "x"'),
    ({"anyOf": [ITEM_REF, NULL]}, 3, "result: expected Item | null, got 3"),
    ({"anyOf": [ITEM_REF, NULL]}, {"n": "x"}, 'result.n: expected int, got "x"'),
    ({"allOf": [INT, {"minimum": 3}]}, 2, "result: expected minimum 3, got 2"),
    ({"type": "integer", "exclusiveMaximum": 3}, 3, "result: expected exclusiveMaximum 3, got 3"),
    ({"type": "number", "maximum": 0.5}, 0.75, "result: expected maximum 0.5, got 0.75"),
    ({"type": "string", "maxLength": 2}, "abc", 'result: expected maxLength 2, got "abc"'),
    ({"type": "string", "pattern": "^b"}, "abc", 'result: expected pattern ^b, got "abc"'),
    ({"type": "array", "minItems": 1}, [], "result: expected minItems 1, got array"),
    (
        {"type": "object", "maxProperties": 0},
        {"a": 1},
        "result: expected maxProperties 0, got object",
    ),
    ({"type": "array", "items": INT}, [1, "x"], 'result[1]: expected int, got "x"'),
    ({"type": "array", "prefixItems": [INT, TEXT]}, [1, 2], "result[1]: expected str, got 2"),
    ({"type": "array", "prefixItems": [INT], "items": False}, [1, 2], "result[1]: unknown"),
    ({"type": "integer", "multipleOf": 5}, 3, "result: expected multipleOf 5, got 3"),
    ({"type": "number", "multipleOf": 0.1}, 0.35, "result: expected multipleOf 0.1, got 0.35"),
    (
        {"type": "array", "uniqueItems": True},
        [1, 1],
        "result: expected uniqueItems True, got array",
    ),
    (
        {"type": "array", "uniqueItems": True},
        [{"a": 1, "b": 2}, {"b": 2, "a": 1}],
        "result: expected uniqueItems True, got array",
    ),
    (
        {"type": "object", "propertyNames": {"enum": ["a"]}},
        {"a": 1, "b": 2},
        'result, key "b": expected "a", got "b"',
    ),
    ({"type": "object", "propertyNames": False}, {"a": 1}, 'result, key "a": unknown'),
    (ITEM_REF, {"s": "a"}, "result.n: missing"),
    (ITEM_REF, {"n": 1, "s": None}, "result.s: expected str, got null"),
    ({"type": "object", "additionalProperties": False}, {"a": 1}, "result.a: unknown"),
    (
        {"type": "object", "additionalProperties": INT},
        {"a": "b"},
        'result.a: expected int, got "b"',
    ),
    ({"$ref": "#/$defs/Node"}, {"next": {"next": 3}}, "result.next.next: expected Node, got 3"),
    ({"type": "string", "format": "date-time"}, "noon", 'result: expected datetime, got "noon"'),
    ({"type": "string", "format": "uuid"}, "x", 'result: expected UUID, got "x"'),
    ({"type": "string", "format": "decimal"}, "x", 'result: expected Decimal, got "x"'),
    ({"type": "string", "contentEncoding": "base64"}, "x", 'result: expected bytes, got "x"'),
    (INT, "x" * 100, f'result: expected int, got "{"x" * 39}…'),
    (TEXT, 10**100, f"result: expected str, got 1{'0' * 39}…"),
]


@pytest.mark.parametrize(("schema", "value", "fault"), MISFITS)
def test_does_not_fit(schema: Any, value: Any, fault: str) -> None:
    assert str(misfit(value, {**schema, "$defs": DEFS}, "result")) == fault
