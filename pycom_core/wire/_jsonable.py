"""JSON substitutes for other Python values, and the place in a value of a part that has none.

msgspec encodes most Python types. This module handles the others, in the same way as `json`.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import json
from collections import UserString
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

import msgspec

#: Values that JSON has, and msgspec does not take as keys.
_WORDS = {None: "null", True: "true", False: "false"}
#: Types that msgspec encodes, and so asks for only if they are keys.
_CONTAINERS = (tuple, list, dict, frozenset, msgspec.Struct)
#: Conversions of base classes, which apply to subclasses too; the first that fits decides.
_BASES: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (UserString, str),
    ((bytes, bytearray), bytes),
    (decimal.Decimal, decimal.Decimal),
    (datetime.datetime, lambda it: datetime.datetime.combine(it.date(), it.timetz())),
    (datetime.date, lambda it: datetime.date(it.year, it.month, it.day)),
    (
        datetime.time,
        lambda it: datetime.time(it.hour, it.minute, it.second, it.microsecond, it.tzinfo),
    ),
    (datetime.timedelta, lambda it: datetime.timedelta(it.days, it.seconds, it.microseconds)),
    (Mapping, dict),
    ((Sequence, Set), list),
)
#: Kinds of numpy's types of which `tolist` makes JSON: bool, int, unsigned, float, text.
_NUMPY_KINDS = frozenset("biufU")
_FLOAT_SIZE = 8  # bytes, of what Python has


def substitute(value: Any) -> Any:
    """Return the JSON substitute of a value that msgspec does not know. Raises TypeError if none.

    msgspec asks for None and bools if they are keys.
    """
    if value is None or value is True or value is False:
        return _WORDS[value]
    if isinstance(value, _CONTAINERS):
        raise TypeError(f"{type_name(type(value))} cannot be a key")
    for base, convert in _BASES:
        if isinstance(value, base):
            return convert(value)
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind == "f" and value.dtype.itemsize > _FLOAT_SIZE:
        value = value.astype(float)  # `tolist` leaves a `longdouble` as it is
    if kind in _NUMPY_KINDS:
        return value.tolist()
    raise TypeError(f"{type_name(type(value))} is nothing that JSON knows; convert it")


#: Encodes values that need no plugin.
ENCODER = msgspec.json.Encoder(enc_hook=substitute)


def encode_carefully(value: Any, encoder: msgspec.json.Encoder) -> bytes:
    """Encode a value that `encoder` failed on: lone surrogates become escapes.

    Raises TypeError for anything else, with its place in the value.
    """
    try:
        return _encode(value, encoder)
    except Exception as error:
        place, fault = _locate(value, encoder, error)
    too_deep = isinstance(fault, RecursionError)
    reason = "nested too deep, or part of itself" if too_deep else str(fault) or repr(fault)
    raise TypeError(f"{place or 'value'}: {reason}") from fault


def type_name(cls: type) -> str:
    """The name of a type, for its author."""
    name = cls.__qualname__
    return name if cls.__module__ == "builtins" else f"{cls.__module__}.{name}"


def _encode(value: Any, encoder: msgspec.json.Encoder) -> bytes:
    try:
        return encoder.encode(value)
    except UnicodeEncodeError:
        # A lone surrogate, which may come from a client of 0.6.0, and which no UTF-8 can hold.
        text = json.dumps(msgspec.to_builtins(value, enc_hook=encoder.enc_hook))
        # NaN and the infinities, which JSON does not have, become null, as elsewhere.
        return json.dumps(json.loads(text, parse_constant=lambda _name: None)).encode()


def _locate(value: Any, encoder: msgspec.json.Encoder, fault: Exception) -> tuple[str, Exception]:
    """Return the place of the first part that cannot be encoded, and the error."""
    place = ""
    while found := _failing(_parts(value), encoder):
        step, value, fault = found
        place += step
        if isinstance(fault, RecursionError):
            break  # a value within itself has no end
    if found := _failing(_keys(value), encoder):
        place += found[0]
    return place.removeprefix("."), fault


def _failing(
    parts: Iterable[tuple[str, Any]], encoder: msgspec.json.Encoder
) -> tuple[str, Any, Exception] | None:
    with contextlib.suppress(Exception):  # of parts that cannot be had
        for step, part in parts:
            try:
                _encode(part, encoder)
            except Exception as error:
                return step, part, error
    return None


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Return the parts of a value, with their places in it."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            step = f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r:.60}]"
            yield step, part
    elif isinstance(value, (Sequence, Set)) and not isinstance(value, (str, bytes, bytearray)):
        yield from ((f"[{index}]", part) for index, part in enumerate(value))
    else:
        names = [name for name in _field_names(type(value)) if hasattr(value, name)]
        yield from ((f".{name}", getattr(value, name)) for name in names)


def _keys(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key in value:
            yield f", key {key!r:.60}", {key: None}


def _field_names(cls: Any) -> Iterable[str]:
    """The names of the fields of a class, if msgspec encodes them."""
    if hasattr(cls, "__attrs_attrs__"):
        return [field.name for field in cls.__attrs_attrs__]
    names: Iterable[str] = getattr(cls, "__struct_fields__", ())
    return names or getattr(cls, "__dataclass_fields__", ())
