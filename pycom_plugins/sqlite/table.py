"""A table of leases in an SQLite file, for backends."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pycom_core.errors import BadRequest, ConfigurationError, Overloaded
from pycom_core.host import boot_id

BUSY_TIMEOUT: Final = 1.0  # s; another process holds the file for some 100 µs at a time


def path_of(url: str) -> str:
    """Return the absolute path in `sqlite:///path/to/file`. Raises `ConfigurationError`."""
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc or parts.query or parts.fragment or not path.strip("/") or path[0] != "/":
        raise ConfigurationError(
            f"{url!r} does not name a file; write sqlite:///path/to/file for /path/to/file "
            "(an absolute path, percent-encoded)"
        )
    return path


class LeaseTable:
    """One table of an SQLite file, whose rows have leases. Safe for threads and processes.

    Ends of leases are seconds of a monotonic clock, which all processes of a machine share. After
    a reboot that clock starts anew: rows of an earlier run get their full `ttl` once more.

    Commits survive the end of the process at once, and a loss of power only some time later: a
    sync of the disk for each renewal would be expensive, and leases are soon renewed anyway.
    """

    def __init__(
        self,
        url: str,
        table: str,
        schema: tuple[str, ...],
        clock: Callable[[], float] | None = None,
        boot: str | None = None,
    ) -> None:
        """Open or create the file that `url` names.

        `table` is created by one of the statements of `schema`, and ends with `LEASE_COLUMNS`.
        `clock` gives seconds. Raises `ConfigurationError` for a file that cannot be used.
        """
        self.path = path_of(url)
        self.now = clock or time.monotonic
        self._boot = boot or boot_id()
        self._lock = threading.Lock()
        self._purge = f"DELETE FROM {table} WHERE ends <= ?"
        with self._translated():
            self._connection = sqlite3.connect(
                self.path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
            )
        try:
            self._prepare(table, schema)
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self, table: str, schema: tuple[str, ...]) -> None:
        with self._translated():
            self._enter_wal()
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("PRAGMA foreign_keys = ON")
        with self._transaction() as connection:
            for statement in schema:
                connection.execute(statement)
            connection.execute(f"CREATE INDEX IF NOT EXISTS {table}_ends ON {table} (ends)")
            connection.execute(
                f"UPDATE {table} SET ends = ? + ttl, boot = ? WHERE boot <> ?",
                (self.now(), self._boot, self._boot),
            )

    def _enter_wal(self) -> None:
        # SQLite does not wait here while another process makes the same change to a new file.
        deadline = time.monotonic() + BUSY_TIMEOUT
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.005)

    def lease(self, ttl: float) -> tuple[float, float, str]:
        """Return the values of `LEASE_COLUMNS` for a lease of `ttl` seconds from now."""
        return ttl, self.now() + ttl, self._boot

    def read(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT, which must check `ends` itself."""
        with self._lock, self._translated():
            return self._connection.execute(statement, parameters).fetchall()

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction, and delete the rows that have ended at its start.

        Raises `Overloaded` if other processes hold the file for longer than `BUSY_TIMEOUT`.
        """
        with self._transaction() as connection:
            connection.execute(self._purge, (self.now(),))
            yield connection

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._translated(), self._connection:  # which commits or rolls back
            # IMMEDIATE: a transaction that reads first and writes later could not wait its turn.
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except UnicodeEncodeError as error:
            raise BadRequest(f"Text that UTF-8 cannot hold cannot be stored: {error}") from error
        except sqlite3.OperationalError as error:
            if _is_busy(error):
                raise Overloaded(f"The SQLite file {self.path} is held by others") from error
            raise ConfigurationError(
                f"Cannot use the SQLite file {self.path}: {error}; make the file and its "
                "directory writable, with room on the disk, or name another file"
            ) from error
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:
                raise  # the subclasses are faults of a program, not of the file
            raise ConfigurationError(
                f"Cannot use the SQLite file {self.path}: {error}; move it away, and a new one "
                "is made at the next start"
            ) from error


def _is_busy(error: sqlite3.OperationalError) -> bool:
    # The numeric code is there only from Python 3.11 on.
    return "locked" in str(error)
