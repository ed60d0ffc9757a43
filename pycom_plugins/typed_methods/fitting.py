"""The comparison of a JSON value with its JSON Schema."""

from __future__ import annotations

import datetime
import decimal
import json
import operator
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import attrs
import msgspec

from pycom_plugins.typed_methods.schemas import Schema, referred

#: The JSON types of the values of a Python type, the widest last.
_KINDS: dict[type, tuple[str, ...]] = {
    type(None): ("null",),
    bool: ("boolean",),
    int: ("integer", "number"),
    float: ("number",),
    str: ("string",),
    list: ("array",),
    dict: ("object",),
}
#: The names of JSON types in errors.
_WORDS = {"boolean": "bool", "integer": "int", "number": "float", "string": "str"}
_FORMATS: dict[str, Any] = {
    "date-time": datetime.datetime,
    "date": datetime.date,
    "time": datetime.time,
    "duration": datetime.timedelta,
    "uuid": uuid.UUID,
    "decimal": decimal.Decimal,
}


def _is_multiple(value: Any, unit: Any) -> bool:
    # Of the texts, as in JSON 0.3 is three times 0.1.
    return Fraction(str(value)) % Fraction(str(unit)) == 0


def _are_unique(value: list[Any], asked: bool) -> bool:
    return not asked or len({json.dumps(one, sort_keys=True) for one in value}) == len(value)


def _longer(value: Any, limit: int) -> bool:
    return len(value) >= limit


def _shorter(value: Any, limit: int) -> bool:
    return len(value) <= limit


def _matches(value: str, pattern: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:  # it is of another dialect
        return True


#: Tests of a value against a limit, by JSON type and keyword.
_LIMITS: dict[str, dict[str, Callable[[Any, Any], bool]]] = {
    "number": {
        "minimum": operator.ge,
        "exclusiveMinimum": operator.gt,
        "maximum": operator.le,
        "exclusiveMaximum": operator.lt,
        "multipleOf": _is_multiple,
    },
    "string": {
        "minLength": _longer,
        "maxLength": _shorter,
        "pattern": _matches,
    },
    "array": {"minItems": _longer, "maxItems": _shorter, "uniqueItems": _are_unique},
    "object": {"minProperties": _longer, "maxProperties": _shorter},
}


@attrs.frozen
class Fault:
    """A place in a value, and the fault there."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


def misfit(value: Any, schema: Schema, place: str) -> Fault | None:
    """Return the first fault of a value; None if it fits. Unknown keywords are ignored."""
    return next(_Fitting(schema.get("$defs", {})).faults(value, schema, place), None)


@attrs.frozen
class _Fitting:
    """A check of values against schemas that may refer to definitions."""

    definitions: Mapping[str, Schema]

    def faults(self, value: Any, schema: Schema, place: str) -> Iterator[Fault]:
        asked, schema = schema, self._resolved(schema)
        kinds = _KINDS[type(value)]
        if not _is_of(kinds, schema) or not _is_one_of(value, schema):
            yield Fault(place, f"expected {self._words(asked)}, got {_shown(value)}")
            return
        for keyword in ("anyOf", "oneOf"):
            yield from self._faults_of_all(value, schema.get(keyword, ()), asked, place)
        for part in schema.get("allOf", ()):
            yield from self.faults(value, part, place)
        for keyword, is_within in _LIMITS.get(kinds[-1], {}).items():
            if keyword in schema and not is_within(value, schema[keyword]):
                yield Fault(place, f"expected {keyword} {schema[keyword]}, got {_shown(value)}")
        if isinstance(value, str):
            yield from _faults_of_text(value, schema, place)
        elif isinstance(value, list):
            yield from self._faults_of_items(value, schema, place)
        elif isinstance(value, dict):
            yield from self._faults_of_properties(value, schema, place)

    def _faults_of_all(
        self, value: Any, choices: Sequence[Schema], schema: Schema, place: str
    ) -> Iterator[Fault]:
        """Yield the fault of a value that fits no choice: of a part of it if it nearly fits."""
        faults = [next(self.faults(value, choice, place), None) for choice in choices]
        if faults and all(faults):
            whole = Fault(place, f"expected {self._words(schema)}, got {_shown(value)}")
            yield next((fault for fault in faults if fault and fault.place != place), whole)

    def _faults_of_items(self, value: list[Any], schema: Schema, place: str) -> Iterator[Fault]:
        first = schema.get("prefixItems", ())
        for index, item in enumerate(value):
            inner = first[index] if index < len(first) else schema.get("items", {})
            yield from self._faults_of_part(item, inner, f"{place}[{index}]")

    def _faults_of_properties(
        self, value: dict[str, Any], schema: Schema, place: str
    ) -> Iterator[Fault]:
        for name in schema.get("required", ()):
            if name not in value:
                yield Fault(f"{place}.{name}", "missing")
        for name in value:
            keys = schema.get("propertyNames", True)
            yield from self._faults_of_part(name, keys, f"{place}, key {json.dumps(name)}")
        known, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        for name, inner in value.items():
            yield from self._faults_of_part(inner, known.get(name, others), f"{place}.{name}")

    def _faults_of_part(self, value: Any, schema: Any, place: str) -> Iterator[Fault]:
        if schema is False:
            yield Fault(place, "unknown")
        elif schema is not True:
            yield from self.faults(value, schema, place)

    def _resolved(self, schema: Schema) -> Schema:
        seen = {""}
        while (name := referred(schema)) not in seen:
            seen.add(name)
            schema = self.definitions.get(name, {})
        return schema

    def _words(self, schema: Schema) -> str:
        """Say what a schema asks for, in a few words."""
        is_named = bool(referred(schema))
        schema = self._resolved(schema)
        choices = schema.get("anyOf") or schema.get("oneOf")
        if choices:
            return " | ".join(map(self._words, choices))
        # Elsewhere it is what a field is called, as pydantic writes it.
        if is_named and "title" in schema:
            return str(schema["title"])
        if "enum" in schema or "const" in schema:
            return " | ".join(map(_shown, schema.get("enum", [schema.get("const")])))
        return " | ".join(_WORDS.get(kind, kind) for kind in _types(schema)) or "something else"


def _types(schema: Schema) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else types


def _is_of(kinds: tuple[str, ...], schema: Schema) -> bool:
    return "type" not in schema or not set(kinds).isdisjoint(_types(schema))


def _is_one_of(value: Any, schema: Schema) -> bool:
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    # True is no 1 there.
    return values is None or any(
        one == value and isinstance(one, bool) == isinstance(value, bool) for one in values
    )


def _faults_of_text(value: str, schema: Schema, place: str) -> Iterator[Fault]:
    kind = bytes if "contentEncoding" in schema else _FORMATS.get(schema.get("format", ""))
    if kind is not None:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            yield Fault(place, f"expected {kind.__name__}, got {_shown(value)}")


def _shown(value: Any) -> str:
    """Return the text of a value in an error."""
    if isinstance(value, (list, dict)):
        return _KINDS[type(value)][0]
    return json.dumps(value) if len(str(value)) < 40 else f"{json.dumps(value)[:40]}…"
