"""Sessions in memory: `memory:`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pycom_core import hookimpl
from pycom_core.backends import Guarantee, SessionStore
from pycom_plugins.memory.leases import Leases


class MemoryStore(SessionStore):
    """Sessions of one process, gone with it. Every method may be used from any thread.

    The data is not copied: `load` returns the object that was saved.
    """

    guarantees: ClassVar[Guarantee] = Guarantee.LINEARIZABLE

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._leases: Leases[str] = Leases()
        self._sessions: dict[str, dict[str, Any]] = {}

    async def load(self, session_id: str) -> dict[str, Any] | None:
        with self._lock:
            self._expire()
            return self._sessions.get(session_id)

    async def save(self, session_id: str, data: dict[str, Any], ttl: float) -> None:
        with self._lock:
            self._expire()
            self._sessions[session_id] = data
            self._leases.set(session_id, self._clock() + ttl)

    async def drop(self, session_id: str) -> None:
        with self._lock:
            self._sessions.pop(session_id, None)
            self._leases.drop(session_id)

    def _expire(self) -> None:
        for session_id in self._leases.expire(self._clock()):
            del self._sessions[session_id]


@hookimpl
def pycom_session_stores() -> Mapping[str, Callable[[str], SessionStore]]:
    """Contribute `memory:`."""
    return {"memory": lambda _url, clock=time.monotonic: MemoryStore(clock)}
