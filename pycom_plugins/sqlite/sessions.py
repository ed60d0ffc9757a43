"""Sessions in an SQLite file: `sqlite:///path/to/file`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pycom_core import hookimpl
from pycom_core.backends import SessionStore
from pycom_plugins.sqlite.kept import LEASE_COLUMNS, Kept


class SqliteStore(Kept, SessionStore):
    """Sessions in an SQLite file."""

    table = "pycom_sessions"
    schema = (
        "CREATE TABLE IF NOT EXISTS pycom_sessions "
        f"(session_id TEXT PRIMARY KEY, data TEXT NOT NULL, {LEASE_COLUMNS})",
    )

    async def load(self, session_id: str) -> dict[str, Any] | None:
        from pycom_core import dict_from_wire

        rows = self._table.read(
            "SELECT data FROM pycom_sessions WHERE session_id = ? AND ends > ?",
            session_id,
            self._table.now(),
        )
        return dict_from_wire(rows[0][0].encode()) if rows else None

    async def save(self, session_id: str, data: dict[str, Any], ttl: float) -> None:
        """Keep `data`. Raises TypeError for a value that JSON has no form for."""
        from pycom_core import dict_to_wire

        encoded = dict_to_wire(data, with_version=False).decode()
        with self._table.write() as connection:
            connection.execute(
                "REPLACE INTO pycom_sessions VALUES (?, ?, ?, ?, ?)",
                (session_id, encoded, *self._table.lease(ttl)),
            )

    async def drop(self, session_id: str) -> None:
        with self._table.write() as connection:
            connection.execute("DELETE FROM pycom_sessions WHERE session_id = ?", (session_id,))


@hookimpl
def pycom_session_stores() -> Mapping[str, Callable[[str], SessionStore]]:
    """Contribute `sqlite:`."""
    return {"sqlite": SqliteStore}
