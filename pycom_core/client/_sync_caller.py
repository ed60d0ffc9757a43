"""A caller that blocks: the base of the sync contexts."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from pycom_core.client._caller import Caller
from pycom_core.client._conversations import Conversation
from pycom_core.client._drivers import drive
from pycom_core.transport._pool import Pool

if TYPE_CHECKING:
    from pycom_core.client._pool_on_behalf import PoolOnBehalf


class SyncCaller(Caller):
    """Calls from any number of threads, each with a channel of its own."""

    pool: Pool | PoolOnBehalf

    def _open(self) -> None:
        self.pool = Pool(self.runtime.connect)

    def is_connected(self, address: str) -> bool:
        return self.pool.is_alive(address)

    def refresh(self, conversation: Conversation[Any]) -> None:
        threading.Thread(target=drive, args=(conversation, self.pool), daemon=True).start()

    def close(self) -> None:
        """Close the connections that are kept for further calls."""
        self.pool.close()
