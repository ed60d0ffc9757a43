"""Asking the authenticator for the owner of a token, while the event loop goes on."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import msgspec

from pycom_core import (
    AccessDenied,
    DeadlineExceeded,
    Identity,
    Overloaded,
    PycomError,
    RemoteError,
    ServiceNotAvailable,
    ServiceNotFound,
    constants,
    logger,
    stands_in,
)

if TYPE_CHECKING:
    from pycom_core import Runtime

#: s for the check of a token at most, from the arrival of its call. That is less than the caller
#: waits, so that the caller learns what is wrong. Half of it is for finding the authenticator.
PATIENCE: Final = 3.0
#: Number of tokens that are checked at one time.
THREADS: Final = 8


class Unreachable(PycomError):
    """No authenticator answers."""


class Validator:
    """A client of any service that provides `org.pycom.authenticator` to the runtime."""

    def __init__(self, runtime: Runtime) -> None:
        from pycom_core import Context

        self._context = Context(runtime=runtime, timeout=PATIENCE * 500)
        self._threads = ThreadPoolExecutor(THREADS, "pycom-authentication")
        self._asked: dict[str, Future[Identity]] = {}

    async def identity_of(self, token: str) -> Identity:
        """Return the owner of a token. Raises `AccessDenied` for none, and `Unreachable`."""
        if stands_in():
            # The service waits for this very call, so there is nothing to keep the loop free for,
            # and an authenticator beside it could not answer another thread.
            return self._ask(token, time.monotonic())
        asked = self._asked.get(token)
        if asked is None:
            asked = self._threads.submit(self._ask, token, time.monotonic())
            self._asked[token] = asked
            asked.add_done_callback(lambda _: self._asked.pop(token, None))
        # Others may wait for the same answer, also when this caller gives up.
        return await asyncio.shield(asyncio.wrap_future(asked))

    def _ask(self, token: str, since: float) -> Identity:
        if time.monotonic() - since > PATIENCE / 2:
            raise Unreachable("too many tokens wait to be checked")
        try:
            with self._context.locate(constants.AUTH_INTERFACE) as authenticator:
                left = since + PATIENCE - time.monotonic()
                answer = authenticator.invoke(
                    constants.AUTH_METHOD_VALIDATE, {"token": token}, timeout=left * 1000
                )
            return msgspec.convert(answer, Identity)
        except AccessDenied:
            raise
        except (ServiceNotFound, ServiceNotAvailable, DeadlineExceeded, Overloaded) as error:
            raise Unreachable(str(error)) from error
        except (RemoteError, ValueError) as error:
            logger().error("The authenticator failed to check a token: %s", error)
            raise AccessDenied("The authenticator failed to check the token") from error

    def close(self) -> None:
        """Close the connections that are kept for further tokens."""
        self._context.close()
