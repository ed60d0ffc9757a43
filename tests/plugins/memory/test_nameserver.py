"""Nameserver records in memory."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from pycom_core.backends import ServiceRecord
from pycom_core.errors import AccessDenied
from pycom_core.testing import Clock, NameserverBackendContract
from pycom_core.testing.contracts.common import at_once
from pycom_plugins.memory import nameserver as memory
from pycom_plugins.memory.nameserver import MemoryBackend


class TestContract(NameserverBackendContract):
    @pytest.fixture
    def backend_factory(self, clock: Clock) -> Callable[[], MemoryBackend]:
        return lambda: MemoryBackend(clock=clock.now)


def record(number: int) -> ServiceRecord:
    return ServiceRecord(f"/s/{number}", f"tcp://10.0.0.1:{number}", (f"com.i{number % 1000}",))


def test_refusal_says_which_service() -> None:
    backend = MemoryBackend()
    at_once(backend.register(record(1), 60))
    with pytest.raises(AccessDenied, match=r"Service /s/1 already registered on a different addr"):
        at_once(backend.register(ServiceRecord("/s/1", "tcp://other:1", ()), 60))


def test_hundred_thousand_records() -> None:
    backend = MemoryBackend()
    records = [record(number) for number in range(100_000)]
    for each in records:
        at_once(backend.register(each, 60))

    def cost(work: Callable[[], object]) -> float:
        """The best of some runs, in seconds: others may run on this machine too."""
        times = []
        for _ in range(20):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        return min(times)

    # A scan of all records would take some ms.
    assert cost(lambda: at_once(backend.register(records[5], 60))) < 0.000_5
    assert cost(lambda: at_once(backend.find("com.i7", "/s/7"))) < 0.000_5
    assert cost(lambda: at_once(backend.find("com.i7"))) < 0.000_5
    assert len(at_once(backend.find("com.i7"))) == 100
    assert len(at_once(backend.list())) == 100_000


def test_nothing_is_left_of_what_is_gone() -> None:
    clock = Clock()
    backend = MemoryBackend(clock.now)
    for _ in range(50):
        for number in range(100):
            at_once(backend.register(record(number), 60))
        clock.advance(100)
    assert not at_once(backend.list())
    assert not backend._services
    assert not backend._providers
    assert not backend._leases._ends
    assert not backend._leases._heap


def test_contribution() -> None:
    factory = memory.pycom_nameserver_backends()["memory"]
    assert isinstance(factory("memory:"), MemoryBackend)
