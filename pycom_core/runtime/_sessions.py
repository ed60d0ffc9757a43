"""Sessions of a server: opened before a call, kept after it, one call at a time for each."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import secrets
from collections import deque
from collections.abc import Callable

from pycom_core.errors import SessionExpired
from pycom_core.log import logger
from pycom_core.loops._waiting import finished, run_to_end, settle
from pycom_core.messages import Request, Session
from pycom_core.runtime._guards import GuardedStore


def new_session() -> Session:
    """Make a session with an id that nobody can guess."""
    return Session(secrets.token_hex(16))


class Sessions:
    """Gives requests their sessions, and hands these to a store between calls."""

    def __init__(self, open_store: Callable[[], GuardedStore], timeout: float) -> None:
        self._open_store = open_store
        self.timeout = timeout  #: idle life, s
        self.factory: Callable[[], Session] = new_session
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @functools.cached_property
    def store(self) -> GuardedStore:
        """The store, opened at the first use: many servers never have a session."""
        return self._open_store()

    async def open(self, request: Request) -> None:
        """Set `request.session`: a new one, or the one asked for. Raises `SessionExpired`."""
        wanted = request.session_id
        if wanted is None:
            request.session = self.factory()
            self._waiting[request.session.session_id] = deque()
            return
        await self._take(wanted)
        try:
            load = self.store.load(wanted)
            data = await (load if self.store.never_waits else settle(load))
        except BaseException:
            self._release(wanted)
            raise
        if data is None:
            self._release(wanted)
            raise SessionExpired(f"Session {wanted[:64]!r} has expired")
        request.session = Session(wanted, data)

    async def close(self, request: Request, keep_empty: bool = True) -> None:
        """Save the session as the call left it, or drop it if it was discarded."""
        session = request.session
        if session is None:
            return
        try:
            if session.discarded:
                coroutine = self.store.drop(session.session_id)
            elif session or keep_empty:
                coroutine = self.store.save(session.session_id, dict(session), self.timeout)
            else:
                request.session = None
                return
            await (coroutine if self.store.never_waits else settle(coroutine))
        finally:
            self._release(session.session_id)

    def end(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Close the store, if one was opened; on the loop that used it, if possible."""
        if "store" not in vars(self):
            return
        if self.store.never_waits:
            with contextlib.suppress(StopIteration):
                self._close_store().send(None)
        else:
            run_to_end(self._close_store(), loop)

    async def _close_store(self) -> None:
        try:
            await self.store.close()
        except Exception as error:
            logger().exception("A session store could not be closed: %s", error)

    async def _take(self, session_id: str) -> None:
        waiting = self._waiting.get(session_id)
        if waiting is None:
            self._waiting[session_id] = deque()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await finished(turn)
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # Its turn had come already: pass it on.
                self._release(session_id)
            raise

    def _release(self, session_id: str) -> None:
        waiting = self._waiting[session_id]
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[session_id]
