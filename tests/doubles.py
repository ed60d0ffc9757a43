"""Doubles for tests of clients: a nameserver, services, an authenticator, and channels."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pycom_core import (
    AccessDenied,
    BadRequest,
    DeadlineExceeded,
    Interface,
    MethodNotFound,
    Overloaded,
    RemoteError,
    Request,
    ServiceNotFound,
    SessionExpired,
    constants,
    interface,
    method,
)
from pycom_core.records import ServiceRecord
from pycom_core.transport import AsyncChannel, Channel

SHOP = "com.foo.stall"
_ClassT = TypeVar("_ClassT", bound=type)
#: Codes of answers, and the errors that clients raise for them.
CODES = {
    1: RemoteError,
    2: MethodNotFound,
    3: ServiceNotFound,
    4: BadRequest,
    5: AccessDenied,
    6: SessionExpired,
    7: DeadlineExceeded,
    8: Overloaded,
    42: RemoteError,
    -1: RemoteError,
}


def double(name: str) -> Callable[[_ClassT], _ClassT]:
    """Decorate a class that stands for another of this process, which keeps the name."""

    def decorate(cls: _ClassT) -> _ClassT:
        cls.__interface__ = Interface(cls, name, authentication="never")  # type: ignore[attr-defined]
        return cls

    return decorate


@double(constants.NS_INTERFACE)
class Directory:
    """A nameserver with given records, which remembers its requests."""

    introspection_data: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, *records: ServiceRecord) -> None:
        self.records = list(records)
        self.asked: list[Request] = []

    def found(self, fits: Callable[[ServiceRecord], bool]) -> list[dict[str, Any]]:
        return [
            {"service": one.service, "address": one.address, "interfaces": list(one.interfaces)}
            for one in self.records
            if fits(one)
        ]

    @method
    async def stat(self, request: Request) -> dict[str, Any]:
        self.asked.append(request)
        return {}

    @method
    async def find(self, request: Request, interface: str, service: str | None = None) -> Any:
        self.asked.append(request)
        return self.found(
            lambda one: interface in one.interfaces and service in (None, one.service)
        )


@double(constants.NS_INTERFACE)
class OldDirectory(Directory):
    """A nameserver of 0.6.0."""

    find = None  # type: ignore[assignment]

    @method
    async def list_services(self, request: Request, interface: str, service: Any = None) -> Any:
        self.asked.append(request)
        return self.found(
            lambda one: (
                any(re.match(interface, name) for name in one.interfaces)
                and (service is None or re.match(service, one.service) is not None)
            )
        )


@interface(SHOP)
class Shop:
    """A service that tells its name, at once or when the test lets it."""

    introspection_data: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, name: str = "shop") -> None:
        self.name = name
        self.extensions: list[dict[str, Any]] = []
        self.ordered: list[int] = []
        self.wanted: dict[int, asyncio.Event] = {}

    @method
    async def who(self, request: Request) -> str:
        self.extensions.append(request.extensions)
        return self.name

    @method
    async def order(self, request: Request, number: int) -> int:
        """Delivers when `deliver` is called."""
        self.ordered.append(number)
        await self.wanted.setdefault(number, asyncio.Event()).wait()
        return number

    @method
    async def deliver(self, request: Request, number: int) -> None:
        self.wanted.setdefault(number, asyncio.Event()).set()


@double(constants.AUTH_INTERFACE)
class Authenticator:
    """An authenticator that knows all whose credentials are `right`; a token holds the name."""

    introspection_data: dict[str, Any] = {}  # noqa: RUF012

    @method(results=("token",))
    async def authenticate(
        self, request: Request, user: Any = None, credentials: Any = None
    ) -> Any:
        if credentials != "right":
            raise AccessDenied("Wrong password")
        return f"token of {user}"

    @method(results=("name", "roles"))
    async def validate(self, request: Request, token: str) -> Any:
        if not token.startswith("token of "):
            raise AccessDenied("Bad token")
        return token.removeprefix("token of "), ["customer"]


def record(service: str, address: str, *interfaces: str) -> ServiceRecord:
    """Return the record of a service; without interfaces, that of a shop."""
    return ServiceRecord(service, address, interfaces or (SHOP,))


class _Script:
    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.sent: list[list[Any]] = []
        self.closed = False

    def reply(self, payload: Sequence[Any], timeout: float) -> list[Any]:
        self.sent.append([*payload, timeout])
        reply = self.replies.pop(0)
        if isinstance(reply, BaseException):
            raise reply
        return list(reply)

    def body(self, number: int = -1) -> dict[str, Any]:
        """The request object that was sent."""
        body: dict[str, Any] = json.loads(self.sent[number][1])
        return body

    def is_alive(self) -> bool:
        return not self.closed

    def close(self) -> None:
        self.closed = True


class Scripted(_Script, Channel):
    """A channel with prepared replies."""

    def exchange(self, payload: Any, timeout: float) -> list[Any]:
        return self.reply(payload, timeout)


class AsyncScripted(_Script, AsyncChannel):
    """The same for an event loop."""

    async def exchange(self, payload: Sequence[Any], timeout: float) -> list[Any]:
        return self.reply(payload, timeout)


def ok(attachment: bytes | None = None, **body: Any) -> list[bytes]:
    """The frames of a reply."""
    frames = [b"OK", json.dumps({"code": 0, **body}).encode()]
    return frames if attachment is None else [*frames, attachment]
