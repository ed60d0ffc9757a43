"""Guards around objects of plugins, so that a failure names the plugin."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pycom_core.errors import PluginFailed, PycomError
from pycom_core.log import logger
from pycom_core.loops._waiting import is_cancelled, never_waits
from pycom_core.plugins._chains import check_failure
from pycom_core.records import ServiceRecord

#: Makes an error from the fault of an object, worded as the end of a sentence about it.
Blame = Callable[[str], PluginFailed]


class _Guard:
    """A guard of `given`. Errors of PyCOM pass, as refusals; others become `PluginFailed`."""

    def __init__(self, given: Any, blame: Blame) -> None:
        self.given = given
        self._blame = blame

    def _failed(self, method: str, error: BaseException) -> PluginFailed:
        """Return the error that reports a failure. Raises `error` itself if it is not a failure."""
        check_failure(error)
        return self._blame(f"failed in {method}: {error!r}")


def _guarded(name: str) -> Callable[..., Awaitable[Any]]:
    async def call(self: _Guard, *arguments: Any) -> Any:
        try:
            return await getattr(self.given, name)(*arguments)
        except PycomError:
            raise
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise
            raise self._failed(name, error) from error

    return call


class GuardedStore(_Guard):
    """A session store."""

    save, drop, close = _guarded("save"), _guarded("drop"), _guarded("close")
    _load = _guarded("load")

    def __init__(self, given: Any, blame: Blame) -> None:
        super().__init__(given, blame)
        methods = (getattr(given, name) for name in ("load", "save", "drop", "close"))
        self.never_waits = all(map(never_waits, methods))

    async def load(self, session_id: str) -> dict[str, Any] | None:
        """The data of a session, or None."""
        data = await self._load(session_id)
        if data is None or isinstance(data, dict):
            return data
        raise self._blame(f"returned {data!r:.100} from load; it must be a dict or None")


class GuardedBackend(_Guard):
    """A nameserver backend."""

    register, unregister, close = _guarded("register"), _guarded("unregister"), _guarded("close")
    _find, _list = _guarded("find"), _guarded("list")

    async def find(self, interface: str, service: str | None = None) -> Sequence[ServiceRecord]:
        """Live records that provide an interface."""
        return self._records("find", await self._find(interface, service))

    async def list(self) -> Sequence[ServiceRecord]:
        """All live records."""
        return self._records("list", await self._list())

    def _records(self, method: str, found: Any) -> Sequence[ServiceRecord]:
        if isinstance(found, Sequence) and all(isinstance(one, ServiceRecord) for one in found):
            return found
        raise self._blame(
            f"returned {found!r:.100} from {method}; it must be a list of ServiceRecord"
        )


class GuardedBalancer(_Guard):
    """A balancer. It is asked at every call, so its methods are looked up only once."""

    def __init__(self, given: Any, blame: Blame) -> None:
        super().__init__(given, blame)
        self._choose, self._observe = given.choose, given.observe

    def choose(self, records: Sequence[ServiceRecord], key: str | None = None) -> ServiceRecord:
        """One of `records`."""
        try:
            chosen = self._choose(records, key)
        except PycomError:
            raise
        except BaseException as error:
            raise self._failed("choose", error) from error
        if chosen in records:
            return chosen  # type: ignore[no-any-return]
        raise self._blame(f"returned {chosen!r:.100} from choose; it must be one of the records")

    def observe(
        self, record: ServiceRecord, latency: float | None, error: BaseException | None
    ) -> None:
        """Report how a call went. A failure of the balancer does not change its outcome."""
        try:
            self._observe(record, latency, error)
        except BaseException as failure:
            logger().exception("%s", self._failed("observe", failure))
