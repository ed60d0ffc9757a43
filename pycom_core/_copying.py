"""Objects that cannot be copied or pickled, since their resources belong to this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

#: Of components.
LOCATE_AGAIN = "locate it again where it is needed; its context can be"


def refused(instead: str) -> Callable[[Any], NoReturn]:
    """Return a `__reduce__` that raises TypeError and says what to do instead."""

    def __reduce__(self: Any) -> NoReturn:
        raise TypeError(f"{self!r} cannot be copied or pickled: {instead}")

    return __reduce__
