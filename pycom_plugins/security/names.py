"""Names of networks, members and roles."""

from __future__ import annotations

import re
from typing import Any, Final

import attrs

#: Such a name is printed, logged and compared as it is: no two look alike, none is an option.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


def problem(name: str) -> str | None:
    """Say why a text is no name, or None if it is one."""
    if _NAME.fullmatch(name):
        return None
    return (
        f"{name!r:.100} is no name; write up to 64 letters and digits of ASCII, and . _ @ - "
        "between them"
    )


def check(_instance: object, attribute: attrs.Attribute[Any], value: str) -> None:
    """Check a name in a field of a data class. Raises ValueError that names the field."""
    found = problem(value)
    if found is not None:
        raise ValueError(f"{attribute.name}: {found}")
