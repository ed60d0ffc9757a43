"""A caller that awaits: the base of the contexts of asyncio."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from pycom_core.client._caller import Caller
from pycom_core.client._conversations import Conversation
from pycom_core.client._drivers import drive_async
from pycom_core.transport._async_pool import AsyncPool

_CallerT = TypeVar("_CallerT", bound="AsyncCaller")


class AsyncCaller(Caller):
    """Calls from event loops, each with channels of its own, for many calls at a time."""

    def _open(self) -> None:
        self.pool = AsyncPool(self.runtime.connect_async)
        self._borrowed = False
        self._refreshes: set[asyncio.Task[Any]] = set()

    def __copy__(self: _CallerT) -> _CallerT:
        twin = super().__copy__()
        twin._borrowed = True
        return twin

    def is_connected(self, address: str) -> bool:
        return self.pool.is_alive(address)

    def refresh(self, conversation: Conversation[Any]) -> None:
        task = asyncio.ensure_future(drive_async(conversation, self.pool))
        self._refreshes.add(task)
        task.add_done_callback(self._refreshes.discard)

    def close(self) -> None:
        """Close all connections, from any thread. Calls in flight fail: `ServiceNotAvailable`."""
        if not self._borrowed:
            self.pool.close()
