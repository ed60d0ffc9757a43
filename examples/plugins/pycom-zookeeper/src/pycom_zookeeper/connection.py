"""kazoo for asyncio: requests that are awaited, and fail in time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any, Final

from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionLoss, OperationTimeoutError, SessionExpiredError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import ZnodeStat

from pycom_core import ConfigurationError, Overloaded

#: s that a request may take.
PATIENCE: Final = 5.0

_LOST = (ConnectionLoss, OperationTimeoutError, SessionExpiredError, KazooTimeoutError)


class Connection:
    """A session with the ensemble. Its methods raise kazoo's errors, and `Overloaded`."""

    def __init__(self, hosts: str, root: str, patience: float = PATIENCE) -> None:
        """Connect, and make the node `root`. Raises `ConfigurationError`."""
        self.root, self._patience = root, patience
        self._offset = float("-inf")
        self._client = KazooClient(hosts=hosts, timeout=10.0)
        try:
            self._client.start(timeout=patience)
            self._client.ensure_path(root)
            self._learn_time(self._client.set(root, b""))
        except Exception as error:
            self.close()
            raise ConfigurationError(
                f"nameserver_backend: no ZooKeeper answers at {hosts}: {error!r}"
            ) from error

    def now(self) -> float:
        """The time by the clock of the ensemble, in seconds."""
        return time.monotonic() + self._offset

    def _learn_time(self, written: ZnodeStat) -> None:
        self._offset = written.mtime / 1000 - time.monotonic()

    async def create(self, node: str, content: bytes) -> None:
        """Make a node. Raises `NodeExistsError`."""
        _path, stat = await self._answer(
            self._client.create_async(self._path(node), content, include_data=True)
        )
        self._learn_time(stat)

    async def set(self, node: str, content: bytes, version: int) -> None:
        """Write to a node. Raises `BadVersionError`, and `NoNodeError`."""
        stat = await self._answer(
            self._client.set_async(self._path(node), content, version=version)
        )
        self._learn_time(stat)

    async def get(self, node: str) -> tuple[bytes, ZnodeStat]:
        """Read a node. Raises `NoNodeError`."""
        content, stat = await self._answer(self._client.get_async(self._path(node)))
        return content, stat

    async def delete(self, node: str, version: int) -> None:
        """Delete a node. Raises `BadVersionError`, and `NoNodeError`."""
        await self._answer(self._client.delete_async(self._path(node), version=version))

    async def nodes(self) -> list[str]:
        """The names of all nodes."""
        found: list[str] = await self._answer(self._client.get_children_async(self.root))
        return found

    def close(self) -> None:
        """End the session."""
        with contextlib.suppress(Exception):
            self._client.stop()
        self._client.close()

    def _path(self, node: str) -> str:
        return f"{self.root}/{node}"

    async def _answer(self, result: Any) -> Any:
        """What a request of kazoo, which is answered in a thread of its own, comes to."""
        loop = asyncio.get_running_loop()
        answered = asyncio.Event()

        def wake(_result: Any) -> None:
            with contextlib.suppress(RuntimeError):  # nobody waits any more
                loop.call_soon_threadsafe(answered.set)

        result.rawlink(wake)
        try:
            await asyncio.wait_for(answered.wait(), self._patience)
            return result.get_nowait()
        except (asyncio.TimeoutError, *_LOST) as error:
            raise Overloaded("ZooKeeper does not answer") from error
