"""The common part of the backends of this engine: a table in a file, and what it guarantees."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from pycom_core.backends import Guarantee

#: The last columns of a table of leases; `LeaseTable.lease` gives their values.
LEASE_COLUMNS = "ttl REAL NOT NULL, ends REAL NOT NULL, boot TEXT NOT NULL"


class Kept:
    """Keeps its content over a restart; processes of one machine may share the file.

    A statement takes less time than a switch of threads, so the coroutines do not wait. They block
    only while another process writes, for at most `table.BUSY_TIMEOUT`, and then raise
    `Overloaded`.
    """

    guarantees: ClassVar[Guarantee] = (
        Guarantee.PERSISTENT | Guarantee.SHARED | Guarantee.LINEARIZABLE
    )
    table: ClassVar[str]
    #: Statements that create it, and perhaps others.
    schema: ClassVar[tuple[str, ...]]

    def __init__(
        self, url: str, clock: Callable[[], float] | None = None, boot: str | None = None
    ) -> None:
        """Open the file; `clock` gives seconds since the boot that `boot` names.

        Raises `ConfigurationError` for a URL or a file that cannot be used.
        """
        # Not above: only users of this engine need it.
        from pycom_plugins.sqlite.table import LeaseTable

        self._table = LeaseTable(url, self.table, self.schema, clock, boot)

    async def close(self) -> None:
        self._table.close()
