"""The backend."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence
from typing import ClassVar

from kazoo.exceptions import BadVersionError, NodeExistsError, NoNodeError
from kazoo.protocol.states import ZnodeStat

from pycom_core import (
    AccessDenied,
    ConfigurationError,
    Guarantee,
    NameserverBackend,
    ServiceRecord,
)
from pycom_zookeeper.connection import PATIENCE, Connection
from pycom_zookeeper.records import node_of, packed, unpacked

_URL = re.compile(r"zookeeper://([^\s/]+)((?:/[^\s/]+)*)/?")
#: Lives that a dead record is kept for, so that nobody deletes one that is just renewed.
_GRACE = 10


class ZooKeeperBackend(NameserverBackend):
    """A node for each service. ZooKeeper stamps it when it is written: so the lease begins."""

    guarantees: ClassVar[Guarantee] = Guarantee.PERSISTENT | Guarantee.SHARED

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        """Connect; requests may take `patience` s. Raises `ConfigurationError`."""
        found = _URL.fullmatch(url)
        if found is None:
            raise ConfigurationError(
                f"nameserver_backend is {url!r}; write zookeeper://HOST:PORT,HOST:PORT/PATH"
            )
        self._connection = Connection(found[1], found[2] or "/pycom", patience)

    async def register(self, record: ServiceRecord, ttl: float) -> None:
        node, content = node_of(record.service), packed(record, ttl)
        while True:
            # Whatever others do between two of these steps, one of the exceptions tells.
            with contextlib.suppress(NoNodeError, BadVersionError, NodeExistsError):
                held = await self._held(node)
                if held is None:
                    return await self._connection.create(node, content)
                before, stat, lives = held
                if lives and before.address != record.address:
                    raise AccessDenied(f"{record.service} is registered at another address")
                return await self._connection.set(node, content, stat.version)

    async def unregister(self, service: str, address: str) -> None:
        node = node_of(service)
        while True:
            with contextlib.suppress(BadVersionError):
                held = await self._held(node)
                if held is not None and held[0].address == address:
                    with contextlib.suppress(NoNodeError):
                        await self._connection.delete(node, held[1].version)
                return

    async def find(self, interface: str, service: str | None = None) -> Sequence[ServiceRecord]:
        nodes = await self._connection.nodes() if service is None else [node_of(service)]
        return [record for record in await self._live(nodes) if interface in record.interfaces]

    async def list(self) -> Sequence[ServiceRecord]:
        return await self._live(await self._connection.nodes())

    async def close(self) -> None:
        await asyncio.to_thread(self._connection.close)

    async def _held(self, node: str) -> tuple[ServiceRecord, ZnodeStat, bool] | None:
        """What a node holds, and whether it lives."""
        try:
            content, stat = await self._connection.get(node)
        except NoNodeError:
            return None
        record, ttl = unpacked(content)
        age = self._connection.now() - stat.mtime / 1000
        if age > _GRACE * ttl:
            with contextlib.suppress(NoNodeError, BadVersionError):
                await self._connection.delete(node, stat.version)
            return None
        return record, stat, age < ttl

    async def _live(self, nodes: Sequence[str]) -> Sequence[ServiceRecord]:
        found = await asyncio.gather(*map(self._held, nodes))
        return [held[0] for held in found if held is not None and held[2]]
