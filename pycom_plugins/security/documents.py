"""Checks of what a TOML or JSON file holds; each fault is named with its file and its key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import attrs
import msgspec

from pycom_core import ConfigurationError

_DocumentT = TypeVar("_DocumentT")


def converted(where: str, data: Any, cls: type[_DocumentT]) -> _DocumentT:
    """Read a table as an attrs class. Raises `ConfigurationError`; `where` is how it begins."""
    names = [row.alias for row in attrs.fields(cast("type[Any]", cls)) if row.init]
    if isinstance(data, Mapping):
        for name in data:
            if name not in names:
                raise ConfigurationError(
                    f"{where}: unknown key {name!r:.100}; known are {', '.join(names)}"
                )
    try:
        return msgspec.convert(data, cls)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        place = place.rstrip("`").removeprefix(".")
        raise ConfigurationError(": ".join(filter(None, (where, place, what)))) from error
