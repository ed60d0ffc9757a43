"""Nameserver records in an SQLite file: `sqlite:///path/to/file`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pycom_core import hookimpl
from pycom_core.backends import NameserverBackend
from pycom_core.errors import AccessDenied
from pycom_plugins.sqlite.kept import LEASE_COLUMNS, Kept

# Imports that only users of this backend need are where they are used.
if TYPE_CHECKING:
    from pycom_core.records import ServiceRecord


class SqliteBackend(Kept, NameserverBackend):
    """Records in an SQLite file."""

    table = "pycom_services"
    schema = (
        "CREATE TABLE IF NOT EXISTS pycom_services (service TEXT PRIMARY KEY, "
        "address TEXT NOT NULL, interfaces TEXT NOT NULL, metadata TEXT NOT NULL, "
        f"{LEASE_COLUMNS})",
        "CREATE TABLE IF NOT EXISTS pycom_providers (interface TEXT, service TEXT "
        "REFERENCES pycom_services ON DELETE CASCADE, PRIMARY KEY (interface, service)) "
        "WITHOUT ROWID",
        # Without it every deletion would scan the table for the rows to cascade to.
        "CREATE INDEX IF NOT EXISTS pycom_providers_service ON pycom_providers (service)",
    )

    async def register(self, record: ServiceRecord, ttl: float) -> None:
        with self._table.write() as connection:
            content = (record.address, _encode(record.interfaces), _encode(record.metadata))
            held = connection.execute(
                "SELECT address, interfaces, metadata FROM pycom_services WHERE service = ?",
                (record.service,),
            ).fetchone()
            if held is not None and held[0] != record.address:
                raise AccessDenied(
                    f"Service {record.service} already registered on a different address"
                )
            lease = self._table.lease(ttl)
            if held == content:
                connection.execute(
                    "UPDATE pycom_services SET ttl = ?, ends = ?, boot = ? WHERE service = ?",
                    (*lease, record.service),
                )
                return
            connection.execute(
                "REPLACE INTO pycom_services VALUES (?, ?, ?, ?, ?, ?, ?)",
                (record.service, *content, *lease),
            )
            connection.executemany(
                "INSERT OR IGNORE INTO pycom_providers VALUES (?, ?)",
                [(interface, record.service) for interface in record.interfaces],
            )

    async def unregister(self, service: str, address: str) -> None:
        with self._table.write() as connection:
            connection.execute(
                "DELETE FROM pycom_services WHERE service = ? AND address = ?", (service, address)
            )

    async def find(self, interface: str, service: str | None = None) -> Sequence[ServiceRecord]:
        return _records(
            self._table.read(
                "SELECT service, address, interfaces, metadata FROM pycom_providers "
                "JOIN pycom_services USING (service) "
                "WHERE interface = ? AND service = ifnull(?, service) AND ends > ?",
                interface,
                service,
                self._table.now(),
            )
        )

    async def list(self) -> Sequence[ServiceRecord]:
        return _records(
            self._table.read(
                "SELECT service, address, interfaces, metadata FROM pycom_services WHERE ends > ?",
                self._table.now(),
            )
        )


def _encode(value: Any) -> str:
    import msgspec

    return msgspec.json.encode(value).decode()


def _records(rows: Iterable[tuple[Any, ...]]) -> Sequence[ServiceRecord]:
    import msgspec

    from pycom_core.records import ServiceRecord

    decode = msgspec.json.decode
    return [
        ServiceRecord(service, address, decode(interfaces), decode(metadata))
        for service, address, interfaces, metadata in rows
    ]


@hookimpl
def pycom_nameserver_backends() -> Mapping[str, Callable[[str], NameserverBackend]]:
    """Contribute `sqlite:`."""
    return {"sqlite": SqliteBackend}
