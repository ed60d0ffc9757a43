"""Lists of names. A single text is not one, though Python can iterate over its letters."""

from __future__ import annotations

from collections.abc import Iterable


def names(values: Iterable[str], what: str) -> tuple[str, ...]:
    """Return names as a tuple. Raises TypeError for anything else; `what` says what they name."""
    if isinstance(values, str):
        raise TypeError(
            f"{what} must be several names, not the text {values!r}; write ({values!r},)"
        )
    found = tuple(values)
    for name in found:
        if not isinstance(name, str):
            raise TypeError(f"{what} must be names, not {values!r:.100}, which has {name!r:.100}")
    return found
