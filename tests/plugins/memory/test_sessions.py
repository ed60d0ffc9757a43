"""Sessions in memory."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from pycom_core.testing import Clock, SessionStoreContract
from pycom_core.testing.contracts.common import at_once
from pycom_plugins.memory import sessions as memory
from pycom_plugins.memory.sessions import MemoryStore


class TestContract(SessionStoreContract):
    @pytest.fixture
    def store_factory(self, clock: Clock) -> Callable[[], MemoryStore]:
        return lambda: MemoryStore(clock=clock.now)


class Data(dict[str, Any]):
    """A dict that can be watched."""


def test_expired_sessions_are_let_go() -> None:
    clock = Clock()
    store = MemoryStore(clock.now)
    data = Data()
    watch = weakref.ref(data)
    at_once(store.save("old", data, 60))
    del data
    clock.advance(61)
    at_once(store.save("new", {}, 60))
    gc.collect()
    assert watch() is None


def test_sessions_that_come_and_go_leave_nothing() -> None:
    store = MemoryStore()
    for number in range(10_000):
        at_once(store.save(str(number), {}, 3600))
        at_once(store.drop(str(number)))
    assert not store._sessions
    assert len(store._leases._heap) < 100


def test_data_is_not_copied() -> None:
    store, data = MemoryStore(), {"a": 1}
    at_once(store.save("a", data, 60))
    assert at_once(store.load("a")) is data


def test_contribution() -> None:
    assert isinstance(memory.pycom_session_stores()["memory"]("memory:"), MemoryStore)
