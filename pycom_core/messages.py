"""What travels: requests, responses, sessions, and the identity of a caller."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import attrs

from pycom_core import constants
from pycom_core._names import names
from pycom_core.log import logger

if TYPE_CHECKING:
    from pycom_core.client._aio_context import AsyncContext
    from pycom_core.client._proxy import ProxyContext
    from pycom_core.server._server import Server

#: Bytes as they come from the wire or go to it. They are not copied, so they must not change.
Attachment = bytes | bytearray | memoryview


def _roles(values: Iterable[str]) -> tuple[str, ...]:
    return names(values, "The roles of an Identity")


@attrs.frozen
class Identity:
    """A caller, as an authentication plugin knows it."""

    name: str
    roles: tuple[str, ...] = attrs.field(default=(), converter=_roles)


class Session(dict[str, Any]):
    """The data that a stateful interface keeps for one client: a dict of JSON values."""

    __slots__ = ("discarded", "session_id")

    def __init__(self, session_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.session_id = session_id
        self.discarded = False

    def discard(self) -> None:
        """Forget this session: the next use of its id is `SessionExpired`."""
        self.discarded = True
        self.clear()


def _object(value: dict[str, Any] | None) -> dict[str, Any]:
    return {} if value is None else value


@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class Request:
    """One call, on either side of the wire."""

    interface: str
    method: str
    _session_id: str | None = None
    args: Any = None
    extensions: dict[str, Any] = attrs.field(default=None, converter=_object)
    attachment: Attachment | None = None
    session: Session | None = attrs.field(default=None, init=False)
    #: Who calls, where an authentication plugin knows it.
    identity: Identity | None = attrs.field(default=None, init=False)
    #: When the caller stops waiting, in seconds of `time.monotonic()`; None: it did not say.
    deadline: float | None = attrs.field(default=None, init=False)
    #: The server that it came to.
    server: Server | None = attrs.field(default=None, init=False, repr=False)

    @property
    def session_id(self) -> str | None:
        """Id of the session, or the one that the client asked for, or None."""
        return self._session_id if self.session is None else self.session.session_id

    def response(self, result: Any, attachment: Attachment | None = None) -> Response:
        """Answer with `result` (a JSON value) and perhaps an attachment."""
        return Response(self, result=result, session_id=self._opened(), attachment=attachment)

    def error(self, code: int, message: str | None = None) -> Response:
        """Answer with an error."""
        return Response(self, code=code, message=message, session_id=self._opened())

    def continues(self, other: Request) -> None:
        """Take the place of `other`: the same call, from the same caller."""
        self.session, self.identity = other.session, other.identity
        self.deadline, self.server = other.deadline, other.server

    def _opened(self) -> str | None:
        return None if self.session is None else self.session.session_id

    def context(self) -> ProxyContext:
        """A context that calls other services on behalf of the caller, with the caller's token."""
        return self._server().context_for(self)

    def async_context(self) -> AsyncContext:
        """The same for `async def` methods, whose calls are awaited."""
        return self._server().runtime.async_context_for(self)

    def _server(self) -> Server:
        if self.server is None:
            raise RuntimeError("Contexts are there only for a request that a server is handling")
        return self.server


@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class Response:
    """The answer to a request. `code` 0 is success; otherwise `message` says what went wrong."""

    request: Request | None
    result: Any = None
    code: int = 0
    message: str | None = None
    session_id: str | None = None
    extensions: dict[str, Any] = attrs.field(default=None, converter=_object)
    attachment: Attachment | None = None


class Future:
    """A response that comes later: a method returns it and completes it once, from any thread."""

    __slots__ = ("_callbacks", "_lock", "_response", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self._callbacks: list[Callable[[Response], object]] = []
        self._lock = threading.Lock()
        self._response: Response | None = None

    def response(self, result: Any, attachment: Attachment | None = None) -> None:
        """Complete with a result. Raises RuntimeError when completed before."""
        self._complete(self.request.response(result, attachment))

    def error(self, code: int, message: str | None = None) -> None:
        """Complete with an error. Raises RuntimeError when completed before."""
        self._complete(self.request.error(code, message))

    def exception(self) -> None:
        """Complete with the exception being handled: logged here, "Unknown error" for the caller.

        Call it in an except block. Raises RuntimeError when completed before.
        """
        logger().error(
            "%s.%s failed", self.request.interface, self.request.method, exc_info=sys.exc_info()
        )
        self.error(constants.ERROR_UNKNOWN, "Unknown error during request")

    def add_done_callback(self, callback: Callable[[Response], object]) -> None:
        """Call `callback(response)` on completion, in the completing thread; at once if done."""
        with self._lock:
            if self._response is None:
                self._callbacks.append(callback)
                return
        callback(self._response)

    def _complete(self, response: Response) -> None:
        with self._lock:
            if self._response is not None:
                raise RuntimeError(
                    f"The call of {self.request.interface}.{self.request.method} "
                    "is already answered"
                )
            self._response = response
        for callback in self._callbacks:
            callback(response)
