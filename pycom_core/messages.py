"""The content of messages: requests, responses, sessions, and the identity of a caller."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from pycom_core import constants
from pycom_core._names import names
from pycom_core.log import logger

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


@attrs.frozen
class Peer:
    """The other end of a connection, as far as its transport knows it."""

    address: str
    key: str | None = None  #: public key, where the connection is encrypted
    metadata: Mapping[str, str] = attrs.field(factory=dict)  #: of the handshake


@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class Delivery:
    """A message as a server received it, and the way back for its answer."""

    frames: Sequence[Attachment]
    arrived: float  #: s, of `time.monotonic()`
    #: Sends the answer; on the event loop's thread, once.
    reply: Callable[[list[Attachment]], object] | None = None
    peer: Peer | None = None
    #: True if the caller blocks a thread of this process that the method may need to run in.
    nested: bool = False
    #: True once nobody waits for the answer any more.
    is_cancelled: bool = attrs.field(default=False, init=False)
    #: Ends the work for it, in any thread; set by the server while there is some.
    on_cancel: Callable[[], object] | None = attrs.field(default=None, init=False, repr=False)
    #: Ends the calls that block on its behalf, in any thread; set once there may be some.
    end_calls: Callable[[Delivery], object] | None = attrs.field(
        default=None, init=False, repr=False
    )
    _is_over: bool = attrs.field(default=False, init=False, repr=False)
    _event: threading.Event | None = attrs.field(default=None, init=False, repr=False)

    @property
    def cancelled(self) -> threading.Event:
        """An event that is set when it is cancelled, or its deadline has passed."""
        if self._event is None:
            self._event = threading.Event()
            if self._is_over:  # before there was an event, perhaps in another thread
                self._event.set()
        return self._event

    def expire(self) -> None:
        """Tell a method that still runs that its answer is of no use. From any thread."""
        self._is_over = True
        if self._event is not None:
            self._event.set()

    def cancel(self) -> None:
        """Give up the answer: the caller took back the call, or is gone. From any thread."""
        self.is_cancelled = True
        self.expire()
        if self.on_cancel is not None:
            self.on_cancel()
        if self.end_calls is not None:
            self.end_calls(self)

    @classmethod
    def of_process(cls, frames: Sequence[Attachment], nested: bool) -> Delivery:
        """Return a delivery that came from this process, not by a transport."""
        return cls(frames, time.monotonic(), nested=nested)


class RequestServer(Protocol):
    """The members of a server that requests give to methods."""

    @property
    def peers(self) -> Sequence[Any]:
        """The clients that are connected, each a `pycom_core.transport.ConnectedPeer`."""

    def context_for(self, request: Request) -> Any:
        """A sync context."""

    def async_context_for(self, request: Request) -> Any:
        """A context for asyncio."""


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
    #: The identity of the caller, if an authentication plugin knows it.
    identity: Identity | None = attrs.field(default=None, init=False)
    #: The time when the caller stops waiting, in seconds of `time.monotonic()`; None: unknown.
    deadline: float | None = attrs.field(default=None, init=False)
    #: The server that received it.
    server: RequestServer | None = attrs.field(default=None, init=False, repr=False)
    #: The message that brought it; None for a request that is made in this process.
    delivery: Delivery | None = attrs.field(default=None, init=False, repr=False)

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
        self.delivery = other.delivery

    def _opened(self) -> str | None:
        return None if self.session is None else self.session.session_id

    @property
    def peer(self) -> Peer | None:
        """The other end of its connection, if known."""
        return None if self.delivery is None else self.delivery.peer

    @property
    def cancelled(self) -> threading.Event:
        """Set when nobody waits for the answer any more. For sync methods: look at it at times.

        An `async def` is cancelled itself.
        """
        return threading.Event() if self.delivery is None else self.delivery.cancelled

    def context(self) -> Any:
        """A `ProxyContext` that calls on behalf of the caller: its token, its deadline.

        When the request is cancelled, a call that blocks ends, and further ones are refused, with
        `CallCancelled`.
        """
        return self._server().context_for(self)

    def async_context(self) -> Any:
        """The same for `async def` methods: an `AsyncContext`, whose calls are awaited."""
        return self._server().async_context_for(self)

    def _server(self) -> RequestServer:
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
        self._response: Any = None

    def response(self, result: Any, attachment: Attachment | None = None) -> None:
        """Complete with a result. Raises RuntimeError when completed before."""
        self._complete(self.request.response(result, attachment))

    def error(self, code: int, message: str | None = None) -> None:
        """Complete with an error. Raises RuntimeError when completed before."""
        self._complete(self.request.error(code, message))

    def exception(self) -> None:
        """Complete with the current exception: it is logged here, the caller gets "Unknown error".

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

    def then(self, function: Callable[[Response], Any]) -> Future:
        """Return a future of the result of `function(response)`."""
        later = Future(self.request)
        self.add_done_callback(lambda response: later._complete(function(response)))
        return later

    def _complete(self, response: Any) -> None:
        with self._lock:
            if self._response is not None:
                raise RuntimeError(
                    f"The call of {self.request.interface}.{self.request.method} "
                    "is already answered"
                )
            self._response = response
        for callback in self._callbacks:
            callback(response)
