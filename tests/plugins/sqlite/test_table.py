"""The shared opener of SQLite files."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from pycom_core.errors import ConfigurationError, Overloaded
from pycom_core.host import boot_id
from pycom_core.testing.contracts.common import in_threads
from pycom_plugins.sqlite.kept import LEASE_COLUMNS
from pycom_plugins.sqlite.table import LeaseTable, path_of

SCHEMA = (f"CREATE TABLE IF NOT EXISTS things (name TEXT PRIMARY KEY, {LEASE_COLUMNS})",)


def opened(path: Path) -> LeaseTable:
    return LeaseTable(f"sqlite://{path}", "things", SCHEMA)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///a/b.db", "/a/b.db"),
        ("sqlite:////a/b.db", "//a/b.db"),
        ("sqlite:///a%20b/%C3%A9", "/a b/é"),
    ],
)
def test_path(url: str, path: str) -> None:
    assert path_of(url) == path


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite:a",
        "sqlite://a/b",
        "sqlite:///a?b",
        "sqlite:///a#b",
    ],
)
def test_url_without_a_path(url: str) -> None:
    with pytest.raises(ConfigurationError, match="write sqlite:///path/to/file"):
        path_of(url)


def test_corrupt_file(tmp_path: Path) -> None:
    path = tmp_path / "broken"
    path.write_bytes(b"certainly no database" * 500)
    with pytest.raises(ConfigurationError, match=f"{path}.*move it away"):
        opened(path)


@pytest.mark.parametrize("name", ["missing/file", "."])
def test_unusable_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"Cannot use the SQLite file /.*writable"):
        opened(tmp_path / name)


def test_unwritable_file(tmp_path: Path) -> None:
    table = opened(tmp_path / "file")
    table._connection.execute("PRAGMA query_only = ON")  # root may write to any file
    with pytest.raises(ConfigurationError, match="writable"), table.write() as connection:
        connection.execute("DELETE FROM things")
    table.close()


def test_held_file_is_overload_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pycom_plugins.sqlite.table.BUSY_TIMEOUT", 0.05)
    table = opened(tmp_path / "file")
    other = sqlite3.connect(tmp_path / "file", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Overloaded, match="file"), table.write():
        pass
    other.close()
    with table.write() as connection:
        connection.execute("INSERT INTO things VALUES (?, ?, ?, ?)", ("a", *table.lease(60)))
    assert table.read("SELECT name FROM things") == [("a",)]
    table.close()


def test_exception_undoes_the_transaction(tmp_path: Path) -> None:
    table = opened(tmp_path / "file")

    def fail() -> None:
        with table.write() as connection:
            connection.execute("INSERT INTO things VALUES (?, ?, ?, ?)", ("a", *table.lease(60)))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert table.read("SELECT name FROM things") == []
    table.close()


def test_use_after_close_is_no_fault_of_the_file(tmp_path: Path) -> None:
    table = opened(tmp_path / "file")
    table.close()
    with pytest.raises(sqlite3.ProgrammingError):
        table.read("SELECT 1")


def test_waits_for_a_writer_before_the_file_is_in_wal_mode(tmp_path: Path) -> None:
    # SQLite's own busy timeout does not cover this.
    other = sqlite3.connect(tmp_path / "file", isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE others (name TEXT)")
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.1, other.execute, ["COMMIT"])
    timer.start()
    opened(tmp_path / "file").close()
    timer.join()
    other.close()


@pytest.mark.parametrize("_round", range(5))
def test_opened_by_many_at_once(tmp_path: Path, _round: int) -> None:
    in_threads(8, lambda _number: opened(tmp_path / "file").close())


def test_boot_id_without_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    assert boot_id() == boot_id() != ""

    def missing(_path: Path) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    boot_id.cache_clear()
    try:
        assert boot_id() == boot_id() != ""
    finally:
        boot_id.cache_clear()
