"""Signatures of remote methods, for `inspect.signature` and `help`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from inspect import Parameter, Signature
from keyword import iskeyword
from typing import Any, Literal, Union

from pycom_core.client._described import Described, json_object

_REFERENCE = "#/$defs/"
_PLAIN: dict[str, Any] = {
    "null": None,
    "boolean": bool,
    "integer": int,
    "number": float,
    "string": str,
    "array": list,
    "object": dict,
}
_DEEPEST = 8
_BYTES = bytes | bytearray | memoryview
_OTHERS = Parameter("kwargs", Parameter.VAR_KEYWORD)


class _Unknown:
    """A default that only the service knows."""

    def __repr__(self) -> str:
        return "…"


UNKNOWN = _Unknown()


def signature(method: Described) -> Signature:
    """Return the Python signature of a method, with its described types and defaults."""
    try:
        return Signature(list(_parameters(method)), return_annotation=_result(method))
    except ValueError:  # a name that is none in Python
        return Signature([Parameter("args", Parameter.VAR_POSITIONAL), _OTHERS])


def types_in(shown: Signature) -> dict[str, Any]:
    """Return the types in a signature, as in the `__annotations__` of a function."""
    found = {name: parameter.annotation for name, parameter in shown.parameters.items()}
    found["return"] = shown.return_annotation
    return {name: one for name, one in found.items() if one is not Signature.empty}


def _parameters(method: Described) -> Iterator[Parameter]:
    if any(map(iskeyword, method.arguments)):  # which Python 3.10 lets pass
        raise ValueError("a keyword of Python is no name")
    types = _Types(method.schemas.get("arguments"))

    def annotation(name: str) -> Any:
        return _BYTES if name == method.incoming else types.annotation(name)

    for name in method.required:
        yield Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation(name))
    for name in method.optional:
        default, shown = types.default(name), annotation(name)
        yield Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=shown)
    if method.takes_more:
        yield _OTHERS


def _result(method: Described) -> Any:
    types = _Types(method.schemas.get("result"))
    match method.results:
        case []:
            return types.annotation()
        case [name]:
            return _BYTES if name == method.outgoing else types.annotation(name)
    return tuple


class _Types:
    """The types in a JSON Schema of arguments or of a result. It comes from an untrusted source."""

    def __init__(self, schema: Any) -> None:
        self._schema = json_object(schema)
        self._properties = json_object(self._schema.get("properties"))
        self._definitions = json_object(self._schema.get("$defs"))

    def default(self, name: str) -> Any:
        """The default of a property."""
        return json_object(self._properties.get(name)).get("default", UNKNOWN)

    def annotation(self, name: str | None = None) -> Any:
        """The type of a property, or of the whole."""
        schema = self._schema if name is None else self._properties.get(name)
        found = self._type(schema, _DEEPEST)
        return Signature.empty if found is Any else found

    def _type(self, schema: Any, depth: int) -> Any:
        """Return the type of the JSON values that a schema allows; Any if it does not say."""
        if not depth:
            return Any
        match schema:
            case {"$ref": str(reference)}:
                # A class may hold itself, so no more is said of it than what JSON makes of it.
                name = reference.removeprefix(_REFERENCE)
                return self._type(self._definitions.get(name), min(depth - 1, 1))
            case {"anyOf": list(members)}:
                return _union(self._type(member, depth - 1) for member in members)
            case {"enum": [_, *_] as values} if all(isinstance(one, (str, int)) for one in values):
                return Literal[tuple(values)]
            case {"type": "array", "items": {} as items}:
                return list[self._type(items, depth - 1)]  # type: ignore[misc]
            case {"type": "object", "additionalProperties": {} as values}:
                return dict[str, self._type(values, depth - 1)]  # type: ignore[misc]
            case {"type": str(kind)}:
                return _PLAIN.get(kind, Any)
        return Any


def _union(types: Iterable[Any]) -> Any:
    found = tuple(types)
    return Any if not found or Any in found else Union[found]  # noqa: UP007
