"""The backend."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence
from typing import ClassVar

from pycom_core import (
    AccessDenied,
    BadRequest,
    ConfigurationError,
    Guarantee,
    NameserverBackend,
    ServiceRecord,
)
from pycom_nats.bucket import PATIENCE, Bucket, Changed
from pycom_nats.records import key_of, packed, unpacked

_URL = re.compile(r"nats://([^\s/]+)(?:/([\w-]+))?/?", re.ASCII)


class NatsBackend(NameserverBackend):
    """A key for each service, which the server deletes when the lease ends."""

    guarantees: ClassVar[Guarantee] = Guarantee.PERSISTENT | Guarantee.SHARED

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        """Connect; requests may take `patience` s. Raises `ConfigurationError`."""
        found = _URL.fullmatch(url)
        if found is None:
            raise ConfigurationError(
                f"nameserver_backend is {url!r}; write nats://HOST:PORT,HOST:PORT/BUCKET"
            )
        self._bucket = Bucket(found[1], found[2] or "pycom", patience)

    async def register(self, record: ServiceRecord, ttl: float) -> None:
        key, value = key_of(record.service), packed(record)
        if len(value) > self._bucket.largest:
            raise BadRequest(f"The record of {record.service[:100]} is too large for NATS")
        while True:
            held = await self._bucket.get(key)
            if held.value and unpacked(held.value).address != record.address:
                raise AccessDenied(f"{record.service} is registered at another address")
            with contextlib.suppress(Changed):
                return await self._bucket.put(key, value, ttl, held.revision)

    async def unregister(self, service: str, address: str) -> None:
        key = key_of(service)
        while True:
            held = await self._bucket.get(key)
            if not held.value or unpacked(held.value).address != address:
                return None
            with contextlib.suppress(Changed):
                return await self._bucket.delete(key, held.revision)

    async def find(self, interface: str, service: str | None = None) -> Sequence[ServiceRecord]:
        if service is None:
            records = await self.list()
        else:
            held = await self._bucket.get(key_of(service))
            records = [unpacked(held.value)] if held.value else []
        return [record for record in records if interface in record.interfaces]

    async def list(self) -> Sequence[ServiceRecord]:
        return [unpacked(value) for value in await self._bucket.values()]

    async def close(self) -> None:
        await asyncio.to_thread(self._bucket.close)
