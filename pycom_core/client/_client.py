"""Calling an interface at an address."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import zmq

from pycom_core import constants, timeouts
from pycom_core._copying import LOCATE_AGAIN, refused
from pycom_core.client._component import BaseComponent
from pycom_core.errors import ServiceNotAvailable
from pycom_core.messages import Attachment, Request, Response
from pycom_core.transport._pool import Pool
from pycom_core.transport._zmq import NOBLOCK, POLLIN, Channel, DealerChannel, receive_frames
from pycom_core.wire import _codec as codec
from pycom_core.wire import _jsonable as jsonable

if TYPE_CHECKING:
    from pycom_core.client._caller import Use
    from pycom_core.client._context import Context
    from pycom_core.wire._commands import BaseCommand


class Client(BaseComponent):
    """A remote interface: `socket` is an address, or a connected DEALER or REQ socket.

    With an address it may be shared between threads. Raises ValueError for an address that is
    none, TypeError for a socket of another kind.
    """

    def __init__(
        self,
        socket: str | zmq.Socket[bytes],
        iface: str,
        context: Context | None = None,
        use: Use | None = None,
        pool: Pool | None = None,
    ) -> None:
        super().__init__(iface, context)
        self.iface = iface
        self.socket = socket
        self._use = use
        self._views = context is not None and context.views
        self._encoder = jsonable.ENCODER if context is None else context.runtime.types.encoder
        self._own_pool = None
        if not isinstance(socket, str):
            self.address = "the socket"
            self._pool: Pool | _OneSocket = _OneSocket(socket)
            return
        self.address = socket
        if pool is None and context is None:
            from pycom_core.runtime._runtime import default_runtime

            pool = self._own_pool = Pool(default_runtime().connect)
        self._pool = pool or context.pool  # type: ignore[union-attr]

    __reduce__ = refused(LOCATE_AGAIN)

    def __repr__(self) -> str:
        return f"<Client of {self.name} at {self.address}>"

    def invoke_with_request(self, request: Request, timeout: float | None = None) -> Response:
        if timeout is None:
            timeout = self._timeout
        if self.context is not None:
            timeout = self.context.time_left(timeout)
        elif timeout is None:
            timeout = constants.PROTO_DEFAULT_TIMEOUT
        payload = request_to_frames(request, self._held.session_id, timeout, self._encoder)
        if self._use is None:
            response = self._exchange(request, payload, timeout)
        else:
            response = self._watched_exchange(self._use, request, payload, timeout)
        response.request = request
        if response.session_id is not None:
            self._held.session_id = response.session_id
        return response

    def _exchange(
        self, request: Request, payload: Sequence[Attachment], timeout: float
    ) -> Response:
        try:
            reply = exchange(self._pool, self.address, payload, timeout)
            return frames_to_response(reply, self.name, self._views)
        except ServiceNotAvailable as error:
            name_call(error, request, self._use)
            raise

    def _watched_exchange(
        self, use: Use, request: Request, payload: Sequence[Attachment], timeout: float
    ) -> Response:
        use.begin()
        started = time.monotonic()
        try:
            response = self._exchange(request, payload, timeout)
        except BaseException as error:
            use.end(time.monotonic() - started, error)
            raise
        use.end(time.monotonic() - started, None)
        return response

    def close(self, **kwargs: Any) -> None:
        """Let go of the component. `kwargs` go to the `close` of a socket that was given."""
        if self._use is not None:
            self._use.release()
        if isinstance(self._pool, _OneSocket):
            self._pool.socket.close(**kwargs)
        elif self._own_pool is not None:
            self._own_pool.close()


def request_to_frames(
    request: Request,
    session_id: str | None,
    timeout: float,
    encoder: msgspec.json.Encoder = jsonable.ENCODER,
) -> list[Attachment]:
    """The payload of a CALL: command, JSON, and the attachment if there is one.

    `timeout` (ms) travels as the deadline if there is one, unless the request holds one. Raises
    TypeError for arguments that JSON cannot hold, ValueError for a timeout that is nan.
    """
    data = codec.request_to_dict(request, session_id)
    if not timeout > timeouts.LONGEST:
        try:
            left = round(timeout)
        except ValueError:
            left = round(timeouts.limit(timeout))  # which says what is wrong with it
        data["extensions"] = {constants.DEADLINE_EXTENSION: left, **request.extensions}
    frames: list[Attachment] = [constants.PROTO_CMD_CALL, codec.dict_to_wire(data, True, encoder)]
    if request.attachment is not None:
        frames.append(codec.as_frame(request.attachment))
    return frames


def frames_to_response(frames: Sequence[Attachment], name: str, view: bool = False) -> Response:
    """The response in a reply, status first; its attachment as bytes, or as a view of them.

    Raises the `RemoteError` that it stands for.
    """
    if len(frames) < 2 or bytes(frames[0]) != constants.PROTO_STATUS_SUCCESS:
        raise ServiceNotAvailable(f"The service of {name} failed to answer")
    data = codec.dict_from_wire(frames[1])
    codec.raise_for_status(data)
    response = codec.response_from_dict(data)
    if len(frames) > 2:
        response.attachment = memoryview(frames[2]) if view else bytes(frames[2])
    return response


def name_call(error: ServiceNotAvailable, request: Request, use: Use | None) -> None:
    """Have an error say which call it ended, and of which service, where that is known."""
    if request.interface == constants.NS_INTERFACE:
        return  # nobody asked for that call, and all replicas are named together
    service = "" if use is None else f" of {use.record.service}"
    error.args = (f"{request.interface}.{request.method}{service}: {error}",)


def command_to_frames(
    name: bytes, command: BaseCommand, request: Any, attachment: Attachment | None
) -> list[Attachment]:
    """The payload of a command of one's own."""
    frames: list[Attachment] = [name, command.request_to_wire(request)]
    if attachment is not None:
        frames.append(codec.as_frame(attachment))
    return frames


def frames_to_answer(
    command: BaseCommand, frames: Sequence[Attachment], address: str, view: bool = False
) -> Any:
    """What a command makes of a reply, and the attachment beside it if one came."""
    if len(frames) < 2 or bytes(frames[0]) != constants.PROTO_STATUS_SUCCESS:
        raise ServiceNotAvailable(f"The server at {address} failed to answer")
    answer = command.response_from_wire(frames[1])
    if len(frames) == 2:
        return answer
    return answer, memoryview(frames[2]) if view else bytes(frames[2])


def exchange(
    pool: Pool | _OneSocket, address: str, payload: Sequence[Attachment], timeout: float
) -> list[Attachment]:
    """Send and receive through a channel of the pool; `timeout` in ms."""
    channel = pool.borrow(address)
    try:
        reply = channel.exchange(payload, timeout)
    except BaseException:
        # What was not sent yet must not be sent later, and a late reply must find nobody.
        channel.close()
        raise
    pool.give_back(address, channel)
    return reply


class _OneSocket:
    """Stands in for a pool where the user brought the socket. Raises TypeError for other kinds."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket
        kind = zmq.SocketType(int(socket.getsockopt(zmq.TYPE)))
        if kind not in _BORROWED:
            raise TypeError(
                f"A client needs an address, or a DEALER or REQ socket, not {kind.name}"
            )
        self._channel = _BORROWED[kind](socket, "the socket")

    def borrow(self, address: str) -> Channel:
        return self._channel

    def give_back(self, address: str, channel: Channel) -> None:
        pass


class _BorrowedDealer(DealerChannel):
    """A socket that goes on after a timeout: late replies are told by correlation ids."""

    def __init__(self, socket: zmq.Socket[bytes], address: str) -> None:
        super().__init__(socket, address)
        self._serial = time.monotonic_ns()  # replies to former calls may still come

    def exchange(self, payload: Sequence[Attachment], timeout: float) -> list[Attachment]:
        deadline = time.monotonic() + timeout / 1000
        try:
            return self._ask(payload, deadline)
        except zmq.ZMQError as error:
            raise self._failure(error, timeout) from error

    def _ask(self, payload: Sequence[Attachment], deadline: float) -> list[Attachment]:
        self._serial += 1
        correlation = b"%x" % self._serial
        self._send(correlation, [b"", *payload], deadline)
        while True:
            reply = self._receive(deadline)
            if reply[0] == correlation and len(reply) >= 4:
                return reply[2:]
            # Somebody else's, or a late one: what is left of the time is for the right one.

    def _receive(self, deadline: float) -> list[Attachment]:
        while True:
            self._until(POLLIN, deadline)
            with contextlib.suppress(zmq.Again):  # a REQ drops what is late itself
                return receive_frames(self.socket, NOBLOCK)

    def is_alive(self) -> bool:
        return True  # for all that can be told of a socket whose options are its owner's

    def close(self) -> None:
        """The socket is its owner's."""


class _BorrowedReq(_BorrowedDealer):
    def __init__(self, socket: zmq.Socket[bytes], address: str) -> None:
        super().__init__(socket, address)
        # After a timeout the next request may go out all the same, and a late reply is dropped.
        socket.setsockopt(zmq.REQ_RELAXED, 1)
        socket.setsockopt(zmq.REQ_CORRELATE, 1)

    def _ask(self, payload: Sequence[Attachment], deadline: float) -> list[Attachment]:
        self._send(payload[0], payload[1:], deadline)
        return self._receive(deadline)


_BORROWED = {zmq.SocketType.DEALER: _BorrowedDealer, zmq.SocketType.REQ: _BorrowedReq}
