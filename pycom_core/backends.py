"""Parts that a setting can replace: nameserver backends, session stores, balancers.

Plugin authors subclass the classes of this page and contribute a factory under a URL scheme
(`pycom_nameserver_backends`, `pycom_session_stores`) or a name (`pycom_balancers`).
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pycom_core.records import ServiceRecord as ServiceRecord


def __getattr__(name: str) -> Any:
    # Not imported above, so that a plugin which only offers a backend does not load attrs.
    if name == "ServiceRecord":
        from pycom_core.records import ServiceRecord

        return ServiceRecord
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Guarantee(enum.Flag):
    """Promises of a backend. Asking for more than the chosen one gives is an error at start."""

    NONE = 0
    PERSISTENT = enum.auto()  #: what is stored survives a restart of the process
    SHARED = enum.auto()  #: several processes see the same content
    LINEARIZABLE = enum.auto()  #: every read sees the latest acknowledged write
    WATCHABLE = enum.auto()  #: changes can be followed without polling


class NameserverBackend(ABC):
    """The records of a nameserver. Times to live are seconds on a monotonic clock.

    Calls come from the event loop of the nameserver. While that loop does not run, a program that
    calls its own nameserver does so from other threads. So a backend must guard its data with a
    lock.
    """

    guarantees: ClassVar[Guarantee] = Guarantee.NONE

    @abstractmethod
    async def register(self, record: ServiceRecord, ttl: float) -> None:
        """Store `record` for `ttl` seconds; the same service and address again renews it.

        Raises `AccessDenied` while another address holds the service's name.
        """

    @abstractmethod
    async def unregister(self, service: str, address: str) -> None:
        """Forget the service if it is held by `address`; otherwise do nothing."""

    @abstractmethod
    async def find(self, interface: str, service: str | None = None) -> Sequence[ServiceRecord]:
        """Return the live records that provide `interface`, of `service` alone if it is given."""

    @abstractmethod
    async def list(self) -> Sequence[ServiceRecord]:
        """Return all live records."""

    async def close(self) -> None:  # noqa: B027 - a backend that holds nothing need not override
        """Let go of files and connections. The backend is not used afterwards."""


class SessionStore(ABC):
    """The data of sessions between calls."""

    guarantees: ClassVar[Guarantee] = Guarantee.NONE

    @abstractmethod
    async def load(self, session_id: str) -> dict[str, Any] | None:
        """Return the data of a session, or None if it is unknown or was idle for too long."""

    @abstractmethod
    async def save(self, session_id: str, data: dict[str, Any], ttl: float) -> None:
        """Keep `data` (JSON values) for `ttl` seconds from now."""

    @abstractmethod
    async def drop(self, session_id: str) -> None:
        """Forget a session; an unknown id is no error."""

    async def close(self) -> None:  # noqa: B027 - a store that holds nothing need not override
        """Let go of files and connections. The store is not used afterwards."""


class Balancer(ABC):
    """A strategy to choose one of several services that provide an interface.

    A chosen record counts as in use until it is observed. Both methods may be called from any
    thread, and must not block.
    """

    @abstractmethod
    def choose(self, records: Sequence[ServiceRecord], key: str | None = None) -> ServiceRecord:
        """Return one of `records` (never empty). `key` names the purpose of the choice, if any."""

    def observe(  # noqa: B027 - most strategies do not care
        self, record: ServiceRecord, latency: float | None, error: BaseException | None
    ) -> None:
        """Note that a use of `record` ended after `latency` seconds, with `error` or with success.

        `latency` is None if the record was chosen and then not used.
        """
