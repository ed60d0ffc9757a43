"""The signatures of remote methods that `inspect.signature` shows."""

from __future__ import annotations

import inspect
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycom_core.client._described import read
from pycom_core.client._signatures import UNKNOWN, signature


def described(**found: Any) -> inspect.Signature:
    """The signature of a method that is described so."""
    whole = {"required_arguments": [], "optional_arguments": [], "additional_arguments": False}
    return signature(read("com.foo.x", "bar", {**whole, **found}))


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        ({}, "()"),
        ({"required_arguments": ["a", "b"]}, "(a, b)"),
        ({"required_arguments": ["a"], "optional_arguments": ["b"]}, "(a, *, b=…)"),
        ({"optional_arguments": ["b"]}, "(*, b=…)"),
        ({"additional_arguments": True, "required_arguments": ["a"]}, "(a, **kwargs)"),
        ({"results": ["one", "two"]}, "() -> tuple"),
        ({"required_arguments": ["class"]}, "(*args, **kwargs)"),
        ({"required_arguments": ["a-b"]}, "(*args, **kwargs)"),
        ({"required_arguments": ["a", "a"]}, "(*args, **kwargs)"),
        ({"required_arguments": ["kwargs"], "additional_arguments": True}, "(*args, **kwargs)"),
    ],
)
def test_names(found: Any, shown: str) -> None:
    assert str(described(**found)) == shown


def test_attachments() -> None:
    shown = described(
        required_arguments=["picture"],
        results=["copy"],
        attachments={"incoming": "picture", "outgoing": "copy"},
    )
    assert shown.parameters["picture"].annotation == bytes | bytearray | memoryview
    assert shown.return_annotation == bytes | bytearray | memoryview


def test_defaults_that_are_said_and_others() -> None:
    properties = {"said": {"default": None}, "text": {"type": "string", "default": "x"}, "not": {}}
    shown = described(
        optional_arguments=["said", "text", "other"],
        schema={"arguments": {"properties": properties}},
    )
    assert [one.default for one in shown.parameters.values()] == [None, "x", UNKNOWN]
    assert str(shown) == "(*, said=None, text: str = 'x', other=…)"


@pytest.mark.parametrize(
    ("schema", "type_"),
    [
        ({"type": "string", "minLength": 1}, str),
        ({"type": "integer"}, int),
        ({"type": "number"}, float),
        ({"type": "boolean"}, bool),
        ({"type": "null"}, None),
        ({"type": "array"}, list),
        ({"type": "array", "items": {"type": "integer"}}, list[int]),
        ({"type": "array", "items": {}}, list[Any]),
        ({"type": "object", "additionalProperties": {"type": "string"}}, dict[str, str]),
        ({"type": "object", "properties": {"a": {}}}, dict),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, int | None),
        ({"anyOf": [{"type": "integer"}, {}]}, inspect.Parameter.empty),
        ({"enum": ["small", "large"]}, Literal["small", "large"]),
        ({"$ref": "#/$defs/Item"}, dict),
        ({"type": "array", "items": {"$ref": "#/$defs/Size"}}, list[Literal["s", "l"]]),
        ({"$ref": "#/$defs/Nowhere"}, inspect.Parameter.empty),
        ({"$ref": "#/$defs/Loop"}, inspect.Parameter.empty),
        ({}, inspect.Parameter.empty),
        (None, inspect.Parameter.empty),
        ({"type": "unheard of"}, inspect.Parameter.empty),
    ],
)
def test_types(schema: Any, type_: Any) -> None:
    definitions = {
        "Item": {"type": "object", "properties": {"parts": {"$ref": "#/$defs/Item"}}},
        "Size": {"enum": ["s", "l"]},
        "Loop": {"$ref": "#/$defs/Loop"},
    }
    schemas = {
        "arguments": {"properties": {"a": schema}, "$defs": definitions},
        "result": {**(schema or {}), "$defs": definitions},
    }
    shown = described(required_arguments=["a"], schema=schemas)
    assert shown.parameters["a"].annotation == type_
    assert shown.return_annotation == type_


ANYTHING: Any = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.sampled_from(["#/$defs/a", "array"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["$ref", "$defs", "a", "anyOf", "enum", "type", "items", "properties"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(ANYTHING, ANYTHING)
def test_no_schema_is_refused(arguments: Any, result: Any) -> None:
    schema = {"arguments": arguments, "result": result}
    shown = described(required_arguments=["a"], optional_arguments=["b"], schema=schema)
    assert str(shown).startswith("(a")
