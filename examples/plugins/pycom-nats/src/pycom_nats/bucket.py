"""A bucket of JetStream's key-value store. Its requests are awaited, and end in bounded time."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, Final, NamedTuple, TypeVar

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js.api import Header
from nats.js.errors import APIError, BucketNotFoundError, NotFoundError

from pycom_core import ConfigurationError, Overloaded, logger

#: s that a request may take.
PATIENCE: Final = 5.0
#: s between two attempts to connect.
_PAUSE: Final = 0.2
#: s that the mark of a deleted value stays.
_MARK: Final = 60
#: Values that one request gives at most; the server's own limit is 1024.
_PAGE: Final = 500
#: Bytes of a message that headers may take.
_HEADERS: Final = 1000
#: How the server says that a key has another revision.
_OTHER_REVISION: Final = (10071, 10164)

_T = TypeVar("_T")


class Changed(Exception):
    """Somebody else wrote to the key."""


class Held(NamedTuple):
    """The value of a key, with its revision; empty if the key is free."""

    value: bytes
    revision: int


class Bucket:
    """A bucket, made if there is none. Its coroutines may be awaited on any event loop.

    A client of NATS stays on one loop, but a nameserver may be called from several: the client has
    a loop of its own, in a thread.
    """

    def __init__(self, hosts: str, name: str, patience: float = PATIENCE) -> None:
        """Connect to one of `hosts`, `HOST:PORT,…`. Raises `ConfigurationError`."""
        self._name, self._stream, self._prefix = name, f"KV_{name}", f"$KV.{name}."
        self._patience = patience
        self._client = Client()
        self._streams = self._client.jetstream(timeout=patience)
        self._trouble: Exception | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="nats", daemon=True)
        self._thread.start()
        try:
            self._begin(self._open(hosts.split(","))).result()
        except BaseException as error:
            self.close()
            if isinstance(error, (Error, asyncio.TimeoutError)):
                shown = ",".join(host.rpartition("@")[2] for host in hosts.split(","))
                raise ConfigurationError(
                    f"nameserver_backend: no NATS with JetStream answers at {shown}: "
                    f"{self._trouble or error!r}"
                ) from error
            raise

    @property
    def largest(self) -> int:
        """The most bytes that a value may have."""
        return self._client.max_payload - _HEADERS

    async def get(self, key: str) -> Held:
        """Return the value of a key."""
        return await self._answer(self._get(key))

    async def values(self) -> list[bytes]:
        """Return the values of all keys."""
        return await self._answer(self._values())

    async def put(self, key: str, value: bytes, ttl: float, revision: int) -> None:
        """Write a value that lives for `ttl` s, rounded up to whole ones. Raises `Changed`."""
        await self._answer(self._write(key, value, math.ceil(ttl), revision))

    async def delete(self, key: str, revision: int) -> None:
        """Delete a value. Raises `Changed`."""
        await self._answer(self._write(key, b"", _MARK, revision, {"KV-Operation": "DEL"}))

    def close(self) -> None:
        """Disconnect."""
        self._begin(self._client.close()).exception()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _begin(self, request: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Run a request on the loop of the client."""
        in_time = asyncio.wait_for(request, self._patience)
        return asyncio.run_coroutine_threadsafe(in_time, self._loop)

    async def _answer(self, request: Coroutine[Any, Any, _T]) -> _T:
        try:
            return await asyncio.wrap_future(self._begin(request))
        except (Error, asyncio.TimeoutError) as error:
            raise Overloaded("NATS does not answer") from error

    # What follows runs on the loop of the client.

    async def _open(self, hosts: list[str]) -> None:
        await self._client.connect(
            [f"nats://{host}" for host in hosts],
            name="pycom nameserver",
            error_cb=self._note,
            reconnect_time_wait=_PAUSE,  # type: ignore[arg-type]  # fractions are fine
            max_reconnect_attempts=-1,  # never give up
            pending_size=0,  # unsent requests fail, and are not sent later
        )
        try:
            await self._streams.key_value(self._name)
        except BucketNotFoundError:
            await self._streams.create_key_value(bucket=self._name, direct=True)
        config = (await self._streams.stream_info(self._stream)).config
        if not (config.allow_msg_ttl and config.allow_direct and config.max_msgs_per_subject == 1):
            raise ConfigurationError(
                f"nameserver_backend: the bucket {self._name} cannot hold leases. It needs NATS "
                "2.11 or later, TTLs of single keys, direct access, and a history of 1; delete "
                "it and it is made anew, or name another"
            )

    async def _note(self, error: Exception) -> None:
        self._trouble = error
        logger("nats").debug("NATS: %r", error)

    async def _get(self, key: str) -> Held:
        try:
            found = await self._streams.get_msg(
                self._stream, subject=self._prefix + key, direct=True
            )
        except NotFoundError:
            return Held(b"", 0)
        return Held(found.data or b"", found.seq or 0)

    async def _values(self) -> list[bytes]:
        found: dict[str, bytes] = {}
        first = 1
        # A value that is written meanwhile moves to the end, so that a later page has it.
        while page := await self._page(first):
            found |= {value.headers["Nats-Subject"]: value.data for value in page if value.headers}
            first = int((page[-1].headers or {})["Nats-Sequence"]) + 1
        return [value for value in found.values() if value]

    async def _page(self, first: int) -> list[Msg]:
        """Return the values from a revision on, as many as one request gives."""
        page: list[Msg] = []
        end: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()

        async def receive(message: Msg) -> None:
            if Header.STATUS in (message.headers or {}):
                end.set_result(message)
            else:
                page.append(message)

        request = {"seq": first, "batch": _PAGE, "next_by_subj": f"{self._prefix}>"}
        inbox = self._client.new_inbox()
        replies = await self._client.subscribe(inbox, cb=receive)
        try:
            await self._client.publish(
                f"$JS.API.DIRECT.GET.{self._stream}", json.dumps(request).encode(), inbox
            )
            last = await end
        finally:
            await replies.unsubscribe()
        if (last.headers or {})[Header.STATUS] not in ("204", "404"):
            APIError.from_msg(last)
        return page

    async def _write(
        self, key: str, value: bytes, ttl: int, revision: int, headers: dict[str, str] | None = None
    ) -> None:
        headers = {Header.EXPECTED_LAST_SUBJECT_SEQUENCE: str(revision), **(headers or {})}
        try:
            await self._streams.publish(self._prefix + key, value, headers=headers, msg_ttl=ttl)
        except APIError as error:
            if error.err_code in _OTHER_REVISION:
                raise Changed from error
            raise
