"""Packages whose interfaces are theirs: not served, and in nobody's way, where they are loaded."""

from __future__ import annotations

import sys

#: Set in the top package of such a library.
_MARK = "__pycom_library__"


def is_of_library(module: str) -> bool:
    """Tell whether a module, given by its full name, belongs to such a library."""
    return bool(getattr(sys.modules.get(module.partition(".")[0]), _MARK, False))
