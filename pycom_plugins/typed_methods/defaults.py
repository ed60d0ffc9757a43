"""Defaults of dataclasses that decoding leaves to the class.

msgspec does not set a field whose default is found through the class. Such a field is missing in
`vars`, and if the object is encoded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, get_origin

import attrs
import msgspec


def of_class(cls: Any) -> list[dataclasses.Field[Any]]:
    """Return the fields that decoded objects of a class may lack, if it is a dataclass."""
    cls = get_origin(cls) or cls
    if not dataclasses.is_dataclass(cls):
        return []
    return [
        field
        for field in dataclasses.fields(cls)
        if field.init
        and field.default is not dataclasses.MISSING
        and getattr(cls, field.name, dataclasses.MISSING) is field.default
    ]


def complete(value: Any) -> None:
    """Set the defaults in a decoded value, and in all its parts, as constructors do."""
    if isinstance(value, (list, tuple, set, frozenset)):
        _complete_all(value)
    elif isinstance(value, dict):
        _complete_all(value.values())
    elif dataclasses.is_dataclass(value):
        for field in of_class(type(value)):
            if field.name not in vars(value):
                object.__setattr__(value, field.name, field.default)
        _complete_all(getattr(value, field.name, None) for field in dataclasses.fields(value))
    elif attrs.has(type(value)):
        _complete_all(getattr(value, field.name, None) for field in attrs.fields(type(value)))
    elif isinstance(value, msgspec.Struct):
        _complete_all(getattr(value, name) for name in value.__struct_fields__)


def _complete_all(values: Iterable[Any]) -> None:
    for value in values:
        complete(value)
