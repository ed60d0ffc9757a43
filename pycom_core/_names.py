"""Lists of names, which a text is not, though Python goes through its letters as if it were."""

from __future__ import annotations

from collections.abc import Iterable


def names(values: Iterable[str], what: str) -> tuple[str, ...]:
    """Names as a tuple. Raises TypeError for what is none; `what` is what they are."""
    if isinstance(values, str):
        raise TypeError(
            f"{what} must be several names, not the text {values!r}; write ({values!r},)"
        )
    found = tuple(values)
    for name in found:
        if not isinstance(name, str):
            raise TypeError(f"{what} must be names, not {values!r:.100}, which has {name!r:.100}")
    return found
