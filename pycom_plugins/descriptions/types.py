"""JSON Schemas as types: their parts, and their text.

The schemas are untrusted. A part that is not understood may be anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

_REFERENCE = "#/$defs/"
#: The Python types that stand for JSON types.
WORDS = {
    "null": "None",
    "boolean": "bool",
    "integer": "int",
    "number": "float",
    "string": "str",
    "array": "list",
    "object": "dict",
}
_FORMATS = {
    "date-time": "datetime",
    "date": "date",
    "time": "time",
    "duration": "timedelta",
    "uuid": "UUID",
    "decimal": "Decimal",
}
#: Keys that bound a type from below, that bound it from above, and that change it altogether.
LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
OTHER = ("format", "contentEncoding", "pattern", "multipleOf", "uniqueItems")


@attrs.frozen
class Type:
    """A schema, and the definitions that it may refer to."""

    schema: Mapping[str, Any]
    definitions: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)

    def inner(self, schema: Any) -> Type:
        """A schema that is part of this one."""
        return Type(schema if isinstance(schema, dict) else {}, self.definitions)

    def _text(self, key: str) -> str:
        value = self.schema.get(key)
        return value if isinstance(value, str) else ""

    def _list(self, key: str) -> list[Any]:
        value = self.schema.get(key)
        return value if isinstance(value, list) else []

    @property
    def reference(self) -> str:
        """The name of the definition that this refers to, or nothing."""
        name = self._text("$ref")
        return name.removeprefix(_REFERENCE) if name.startswith(_REFERENCE) else ""

    def resolved(self) -> Type:
        """Return the referred type if this is a reference, otherwise this type."""
        found, seen = self, {""}
        while found.reference not in seen:
            seen.add(found.reference)
            found = self.inner(self.definitions.get(found.reference))
        return found

    @property
    def title(self) -> str:
        """The name of the type, or nothing."""
        return self.resolved()._text("title") or self.reference

    @property
    def description(self) -> str:
        """The description of the type by its author."""
        return self._text("description")

    @property
    def alternatives(self) -> list[Type]:
        """The members of a union; for any other type, only the type itself."""
        return list(self._alternatives(()))

    def _alternatives(self, above: tuple[str, ...]) -> Iterator[Type]:
        resolved = self.resolved()
        members = resolved._list("anyOf") or resolved._list("oneOf")
        if not members or self.reference in above:
            yield self
        for member in () if self.reference in above else members:
            inside = (*above, self.reference) if self.reference else above
            yield from self.inner(member)._alternatives(inside)

    @property
    def values(self) -> list[Any] | None:
        """The values that it may have, if it lists them; otherwise None."""
        if "const" in self.schema:
            return [self.schema["const"]]
        return self._list("enum") if "enum" in self.schema else None

    @property
    def kinds(self) -> list[str]:
        """The JSON types that it may be; empty: all."""
        if "type" not in self.schema:
            return list(dict.fromkeys(map(kind_of, self.values or ())))
        names = [self._text("type")] if self._text("type") else self._list("type")
        return [name for name in names if isinstance(name, str)]

    @property
    def properties(self) -> dict[str, Type]:
        """The types of the properties of an object."""
        found = self.schema.get("properties")
        return {name: self.inner(found[name]) for name in found} if isinstance(found, dict) else {}

    @property
    def required(self) -> list[str]:
        """The properties that an object must have."""
        return [name for name in self._list("required") if name in self.properties]

    @property
    def first_items(self) -> list[Type]:
        """The types of the first items of an array, each with a type of its own."""
        return [self.inner(schema) for schema in self._list("prefixItems")]

    @property
    def items(self) -> Type:
        """The type of all further items of an array."""
        return self.inner(self.schema.get("items"))

    @property
    def extras(self) -> Type:
        """The type of the values of an object beside its properties."""
        return self.inner(self.schema.get("additionalProperties"))

    @property
    def is_closed(self) -> bool:
        """True if an object holds nothing beside its properties."""
        return self.schema.get("additionalProperties") is False

    def __str__(self) -> str:
        if self.reference:
            return self.title
        limits = ", ".join(f"{key} {as_json(self.schema[key])}" for key in self._limits())
        return f"{self.bare()} ({limits})" if limits else self.bare()

    def _limits(self) -> list[str]:
        hidden = ("minItems", "maxItems") if self.first_items else ()
        keys = (*LOWER, *UPPER, "pattern", "multipleOf")
        return [key for key in keys if key in self.schema and key not in hidden]

    def bare(self) -> str:
        """Return its text without its name and its limits."""
        if self.alternatives[0] is not self:
            return " | ".join(map(str, self.alternatives))
        if self.values is not None:
            return " | ".join(map(as_json, self.values)) or "Never"
        match self.kinds:
            case ["string"] if "contentEncoding" in self.schema:
                return "bytes"
            case ["string"]:
                return _FORMATS.get(self._text("format"), self._text("format") or "str")
            case ["array"] if self.first_items:
                return f"tuple[{', '.join(map(str, self.first_items))}]"
            case ["array"]:
                return f"{'set' if self.schema.get('uniqueItems') else 'list'}[{self.items}]"
            case ["object"] if self.properties:
                return f"{{{', '.join(self.declarations())}}}"
            case ["object"]:
                return f"dict[str, {self.extras}]"
        return " | ".join(WORDS.get(kind, kind) for kind in self.kinds) or "Any"

    def declarations(self) -> list[str]:
        """Return the declarations of the properties of an object."""
        return [
            declaration(name, inner, name in self.required)
            for name, inner in self.properties.items()
        ]


ANYTHING = Type({})


def declaration(name: str, type_: Type, required: bool) -> str:
    """Return the declaration of an argument or a property: its type, and its default if known."""
    if required:
        return f"{name}: {type_}"
    default = as_json(type_.schema["default"]) if "default" in type_.schema else "…"
    return f"{name}: {type_} = {default}"


def as_json(value: Any) -> str:
    """Return a value as text for people."""
    return json.dumps(value, ensure_ascii=False)


def kind_of(value: Any) -> str:
    """The JSON type of a value."""
    kinds = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string"}
    return kinds.get(type(value), "array" if isinstance(value, list) else "object")
