"""The choice of where a sync method runs: on the event loop, or in a worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

_ResultT = TypeVar("_ResultT")

#: s; a method that took longer leaves the loop. It is the time after which Python, too, takes its
#: lock from a thread that others wait for (`sys.getswitchinterval`).
SLOW: Final = 0.005
#: s; the most that a call may take to count as quick again.
QUICK: Final = 0.001
#: Quick calls in a row that bring a method back. So many ways to the worker take 5 to 10 ms, about
#: as long as a slow call: a method that is slow at times costs little, wherever it is then.
IN_A_ROW: Final = 50


class Placement:
    """Knows by their latest calls which methods are slow. `clock` tells the time in s.

    Methods are timed one at a time, in any thread.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        #: Slow methods, and how many of their latest calls in a row were quick.
        self._slow: dict[object, int] = {}

    def needs_worker(self, method: object, is_busy: bool) -> bool:
        """Tell whether a call runs in a worker: its method is slow, or the worker has others."""
        return is_busy or method in self._slow

    def timed(self, method: object, run: Callable[..., _ResultT], *arguments: Any) -> _ResultT:
        """Return what `run` returns, and remember how long it took."""
        began = self._clock()
        try:
            return run(*arguments)
        finally:
            self._took(method, self._clock() - began)

    def _took(self, method: object, seconds: float) -> None:
        if seconds > SLOW:
            self._slow[method] = 0
        elif method in self._slow:
            quick = self._slow[method] + 1 if seconds < QUICK else 0
            if quick < IN_A_ROW:
                self._slow[method] = quick
            else:
                del self._slow[method]
