"""Lists of names, which a text is not, though Python goes through its letters as if it were."""

from __future__ import annotations

from collections.abc import Iterable


def names(values: Iterable[str], what: str) -> tuple[str, ...]:
    """Names as a tuple. Raises TypeError for one that stands alone; `what` is what they are."""
    if isinstance(values, str):
        raise TypeError(
            f"{what} must be several names, not the text {values!r}; write ({values!r},)"
        )
    return tuple(values)
