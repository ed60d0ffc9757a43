"""Nameserver records in memory: `memory:`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from pycom_core import hookimpl
from pycom_core.backends import Guarantee, NameserverBackend
from pycom_core.errors import AccessDenied
from pycom_plugins.memory.leases import Leases

if TYPE_CHECKING:
    from pycom_core.records import ServiceRecord


class MemoryBackend(NameserverBackend):
    """Records of one process, gone with it. Every method may be used from any thread."""

    guarantees: ClassVar[Guarantee] = Guarantee.LINEARIZABLE

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._leases: Leases[str] = Leases()
        self._services: dict[str, ServiceRecord] = {}
        self._providers: dict[str, dict[str, ServiceRecord]] = {}  # by interface, by service

    async def register(self, record: ServiceRecord, ttl: float) -> None:
        with self._lock:
            self._expire()
            held = self._services.get(record.service)
            if held is not None and held.address != record.address:
                raise AccessDenied(
                    f"Service {record.service} already registered on a different address"
                )
            if held != record:
                self._remove(record.service)
                self._services[record.service] = record
                for interface in record.interfaces:
                    self._providers.setdefault(interface, {})[record.service] = record
            self._leases.set(record.service, self._clock() + ttl)

    async def unregister(self, service: str, address: str) -> None:
        with self._lock:
            held = self._services.get(service)
            if held is not None and held.address == address:
                self._remove(service)
                self._leases.drop(service)

    async def find(self, interface: str, service: str | None = None) -> Sequence[ServiceRecord]:
        with self._lock:
            self._expire()
            providers = self._providers.get(interface, {})
            if service is None:
                return list(providers.values())
            return [providers[service]] if service in providers else []

    async def list(self) -> Sequence[ServiceRecord]:
        with self._lock:
            self._expire()
            return tuple(self._services.values())

    def _expire(self) -> None:
        for service in self._leases.expire(self._clock()):
            self._remove(service)

    def _remove(self, service: str) -> None:
        record = self._services.pop(service, None)
        if record is None:
            return
        for interface in set(record.interfaces):
            providers = self._providers[interface]
            del providers[service]
            if not providers:
                del self._providers[interface]


@hookimpl
def pycom_nameserver_backends() -> Mapping[str, Callable[[str], NameserverBackend]]:
    """Contribute `memory:`."""
    return {"memory": lambda _url, clock=time.monotonic: MemoryBackend(clock)}
