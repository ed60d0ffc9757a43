"""Arguments in the form that the log may hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

HIDDEN: Final = "[redacted]"
#: Levels of nesting that are shown.
DEPTH: Final = 10


class Redaction:
    """Hides the values of some names, and shortens long ones."""

    def __init__(self, names: Iterable[str], longest: int) -> None:
        self._names = frozenset(map(_plain, names))
        self._longest = longest

    def shown(self, value: Any, depth: int = 0) -> Any:
        """Return a JSON value in the form that the log may hold."""
        if isinstance(value, str):
            # Lone surrogates cannot be written.
            cut = value[: self._longest] + ("…" if len(value) > self._longest else "")
            return cut.encode("utf-8", "backslashreplace").decode()
        if not isinstance(value, (dict, list)):
            return value
        if depth == DEPTH:
            return "…"
        if isinstance(value, list):
            items = [self.shown(item, depth + 1) for item in value[: self._longest]]
            return [*items, "…"] if len(value) > self._longest else items
        return {
            self.shown(name): HIDDEN
            if _plain(name) in self._names
            else self.shown(inner, depth + 1)
            for name, inner in [*value.items()][: self._longest]
        }


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()
