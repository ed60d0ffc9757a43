"""Sessions in an SQLite file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pycom_core.backends import ServiceRecord
from pycom_core.testing import Clock, SessionStoreContract
from pycom_core.testing.contracts.common import at_once
from pycom_plugins.sqlite import sessions as sqlite
from pycom_plugins.sqlite.nameserver import SqliteBackend
from pycom_plugins.sqlite.sessions import SqliteStore


class TestContract(SessionStoreContract):
    @pytest.fixture
    def store_factory(self, clock: Clock, tmp_path: Path) -> Callable[[], SqliteStore]:
        return lambda: SqliteStore(f"sqlite://{tmp_path}/sessions", clock.now)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite://{tmp_path}/sessions"


def test_reboot_gives_one_new_life(url: str) -> None:
    store = SqliteStore(url, Clock(1000).now, "boot 1")
    at_once(store.save("a", {"a": 1}, 60))
    at_once(store.close())
    clock = Clock(5)
    store = SqliteStore(url, clock.now, "boot 2")
    clock.advance(59)
    assert at_once(store.load("a")) == {"a": 1}
    clock.advance(2)
    assert at_once(store.load("a")) is None
    at_once(store.close())


def test_expired_sessions_leave_the_file(url: str) -> None:
    clock = Clock()
    store = SqliteStore(url, clock.now)
    at_once(store.save("old", {}, 60))
    clock.advance(61)
    at_once(store.save("new", {}, 60))
    assert store._table.read("SELECT session_id FROM pycom_sessions") == [("new",)]
    at_once(store.close())


def test_values_are_kept_as_they_would_travel(url: str) -> None:
    class Text(str):
        __slots__ = ()

    store = SqliteStore(url)
    at_once(store.save("a", {"name": Text("Ann"), "half": "\ud800", "seen": {None: 1}}, 60))
    assert at_once(store.load("a")) == {"name": "Ann", "half": "\ud800", "seen": {"null": 1}}
    at_once(store.close())


def test_what_is_no_json_is_refused_and_harms_nothing(url: str) -> None:
    store = SqliteStore(url)
    at_once(store.save("a", {"a": 1}, 60))
    with pytest.raises(TypeError, match="^a: object is nothing"):
        at_once(store.save("a", {"a": object()}, 60))
    assert at_once(store.load("a")) == {"a": 1}
    at_once(store.close())


def test_shares_a_file_with_a_nameserver(url: str) -> None:
    store, backend = SqliteStore(url), SqliteBackend(url)
    record = ServiceRecord("/one", "tcp://10.0.0.1:1", ("com.foo",))
    at_once(store.save("a", {"a": 1}, 60))
    at_once(backend.register(record, 60))
    assert at_once(store.load("a")) == {"a": 1}
    assert at_once(backend.list()) == [record]
    at_once(store.close())
    at_once(backend.close())


def test_contribution(url: str) -> None:
    store = sqlite.pycom_session_stores()["sqlite"](url)
    assert isinstance(store, SqliteStore)
    at_once(store.close())
