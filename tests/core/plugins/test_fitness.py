"""Fitness: unfit objects are found before their first use, and fit ones pass."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import attrs
import pytest

from pycom_core import Balancer, Guarantee, NameserverBackend, ServiceRecord, SessionStore
from pycom_core.plugins._fitness import wrong_factory, wrong_object
from pycom_plugins.balancing import LeastLoadedBalancer, RandomBalancer
from pycom_plugins.memory.nameserver import MemoryBackend
from pycom_plugins.memory.sessions import MemoryStore


class Store(SessionStore):
    """A store that does nothing."""

    async def load(self, session_id: str) -> dict[str, Any] | None: ...
    async def save(self, session_id: str, data: dict[str, Any], ttl: float) -> None: ...
    async def drop(self, session_id: str) -> None: ...


class First(Balancer):
    """The first record."""

    def choose(self, records: Sequence[ServiceRecord], key: str | None = None) -> ServiceRecord:
        return records[0]


def retrying(function: Callable[..., Any]) -> Callable[..., Any]:
    """A typical decorator."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


class Decorated(Store):
    load = retrying(Store.load)


class Widened(Store):
    async def save(self, *args: Any, **kwargs: Any) -> None: ...
    async def drop(self, session_id: str, quietly: bool = True) -> None: ...


@attrs.frozen
class Frozen(Store):
    url: str = ""


class Callable_:
    async def __call__(self, session_id: str) -> None: ...


class WithObjects(Store):
    drop = Callable_()  # type: ignore[assignment]
    load = staticmethod(functools.partial(Store.load, None))  # type: ignore[assignment, arg-type]


@pytest.mark.parametrize(
    ("given", "base"),
    [
        (MemoryBackend(), NameserverBackend),
        (MemoryStore(), SessionStore),
        (RandomBalancer(), Balancer),
        (LeastLoadedBalancer(), Balancer),
        (Store(), SessionStore),
        (First(), Balancer),
        (Decorated(), SessionStore),
        (Widened(), SessionStore),
        (Frozen(), SessionStore),
        (WithObjects(), SessionStore),
        (mock.AsyncMock(spec=Store), SessionStore),
        (mock.Mock(spec=First), Balancer),
    ],
    ids=lambda value: type(value).__name__,
)
def test_object_that_is_fit(given: object, base: type) -> None:
    if isinstance(given, mock.NonCallableMock) and base is SessionStore:
        given.guarantees = Guarantee.NONE
    assert wrong_object(given, base) is None


class NoGuarantee(Store):
    guarantees = frozenset()  # type: ignore[assignment]


class Sync(Store):
    def load(self, session_id: str) -> Any: ...


class Generating(Store):
    async def load(self, session_id: str) -> Any:
        yield {}


class SyncClose(Store):
    def close(self) -> Any: ...


class Short(Store):
    async def save(self, session_id: str, data: Any) -> None: ...


class Keyword(First):
    def choose(self, records: Any, *, key: Any = None) -> Any: ...  # type: ignore[override]


class AsyncChoice(First):
    async def choose(self, records: Any, key: Any = None) -> Any: ...


class AsyncObservation(First):
    async def observe(self, record: Any, latency: Any, error: Any) -> Any: ...


LOAD = "must have async def load(self, session_id), and has another load"
OBJECT = "must be an object of a subclass of SessionStore, not "


@pytest.mark.parametrize(
    ("given", "base", "wrong"),
    [
        (None, SessionStore, OBJECT + "None"),
        ("memory:", SessionStore, OBJECT + "'memory:'"),
        (Store, SessionStore, OBJECT + "<class"),
        (First(), SessionStore, OBJECT + "<"),
        (NoGuarantee(), SessionStore, "has guarantees = frozenset(); write Guarantee.NONE, or"),
        (Sync(), SessionStore, LOAD),
        (Generating(), SessionStore, LOAD),
        (SyncClose(), SessionStore, "must have async def close(self), and has another close"),
        (Short(), SessionStore, "must have async def save(self, session_id, data, ttl)"),
        (Keyword(), Balancer, "must have def choose(self, records, key)"),
        (AsyncChoice(), Balancer, "must have def choose(self, records, key)"),
        (AsyncObservation(), Balancer, "must have def observe(self, record, latency, error)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_object_that_is_not(given: object, base: type, wrong: str) -> None:
    assert (wrong_object(given, base) or "").startswith(wrong)


class OfUrl:
    def __init__(self, url: str) -> None: ...


@pytest.mark.parametrize(
    "factory",
    [
        OfUrl,
        lambda url: None,
        lambda url, clock=None: None,
        lambda url, clock: None,
        lambda url, *, clock: None,
        lambda *args: None,
        lambda url="": None,
        functools.partial(lambda url, more: None, more=1),
        print,
        str,
        mock.Mock(),
    ],
)
def test_factory_that_is_fit(factory: object) -> None:
    assert wrong_factory(factory) is None


async def make(url: str) -> None: ...


@pytest.mark.parametrize(
    ("factory", "wrong"),
    [
        (make, "must be a factory(url) that is not async"),
        (functools.partial(make), "must be a factory(url) that is not async"),
        (Callable_(), "must be a factory(url) that is not async"),
        (lambda: None, "takes one argument, the URL"),
        (lambda url, more: None, "takes one argument, the URL"),
        (lambda clock: None, "takes one argument, the URL"),
        (lambda *, url: None, "takes one argument, the URL"),
        (Store, "takes one argument, the URL"),
        (Store(), "must be a factory(url)"),
        ("memory:", "must be a factory(url)"),
        (None, "must be a factory(url)"),
    ],
)
def test_factory_that_is_not(factory: object, wrong: str) -> None:
    assert wrong in (wrong_factory(factory) or "")
