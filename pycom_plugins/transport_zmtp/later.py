"""A timer that keeps neither its loop nor its owner alive.

A handle of asyncio holds its loop. The channels of a loop are to go with it, and so hold none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakMethod, ref


class Later:
    """Calls a method some time after each `start`, unless it is stopped before."""

    __slots__ = ("__weakref__", "_do", "_turn")

    def __init__(self, do: Callable[[], object]) -> None:
        self._do = WeakMethod(do)
        self._turn: object = None

    @property
    def is_started(self) -> bool:
        """True while the call is to come."""
        return self._turn is not None

    def start(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        """Call in so many s, on the thread of the loop; do nothing if it is started."""
        if self._turn is None:
            self._turn = turn = object()
            loop.call_later(seconds, _call, ref(self), turn)

    def stop(self) -> None:
        """Do not call."""
        self._turn = None


def _call(found: ref[Later], turn: object) -> None:
    later = found()
    if later is not None and later._turn is turn:
        later._turn = None
        do = later._do()
        if do is not None:
            do()
