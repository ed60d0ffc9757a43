"""Commands: the chain from a request on the wire to a response on the wire."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import Any, Protocol

import msgspec

from pycom_core import constants
from pycom_core.errors import RemoteError
from pycom_core.log import logger
from pycom_core.loops._failures import is_failure
from pycom_core.messages import Attachment, Future, Request, Response
from pycom_core.wire import _codec as codec
from pycom_core.wire import _jsonable as jsonable

#: JSON of the response, and its attachment if there is one.
Reply = list[Attachment]


class _Now(Reply):
    """A reply that commands written as coroutines may await."""

    def __await__(self) -> Generator[None, None, Reply]:
        return list(self)
        yield


class _Later(Future):
    """A reply that comes later, which they may await too."""

    def __await__(self) -> Generator[Any, None, Reply]:
        import asyncio

        loop = asyncio.get_running_loop()
        done: asyncio.Future[Reply] = loop.create_future()

        def take(reply: Any) -> None:
            loop.call_soon_threadsafe(done.set_result, reply)

        self.add_done_callback(take)
        return (yield from done)


class CommandServer(Protocol):
    """The members of a server that its commands use."""

    encoder: msgspec.json.Encoder
    in_flight: int  #: unanswered calls, including that of the command
    max_in_flight: int

    def process(self, request: Request) -> Any:
        """Take a decoded request through the server."""


class BaseCommand:
    """Base of all commands. Override the `…_dict` methods and `real_process_request`.

    ::

        client  request_to_wire   (request_to_dict → dict_to_wire)
        server  request_from_wire (dict_from_wire → request_from_dict)
                real_process_request
                response_to_wire  (response_to_dict → dict_to_wire)
        client  response_from_wire (dict_from_wire → response_from_dict)

    A server takes these steps one by one. `process_request` takes all steps of the server, for
    programs that use the protocol over something else.
    """

    #: Packs JSON: a server, or the runtime of a client, gives its own.
    encoder = jsonable.ENCODER

    def __init__(self, server: CommandServer | None = None) -> None:
        self.server = server
        if server is not None:
            self.encoder = server.encoder

    # Client side.

    def request_to_wire(self, request: Any, **kw: Any) -> bytes:
        """Pack a request."""
        return codec.dict_to_wire(self.request_to_dict(request, **kw), True, self.encoder)

    def request_to_dict(self, request: Any, **kw: Any) -> dict[str, Any]:
        """The request as a dict of JSON values."""
        raise NotImplementedError

    def response_from_wire(self, message: Attachment) -> Any:
        """Unpack a response; an error answer is raised as the `RemoteError` it stands for."""
        data = codec.dict_from_wire(message)
        codec.raise_for_status(data)
        return self.response_from_dict(data)

    def response_from_dict(self, data: dict[str, Any]) -> Any:
        """Build the response from a dict."""
        raise NotImplementedError

    # Server side.

    def process_request(self, json_body: Attachment, *other_parts: Attachment) -> Any:
        """Answer one request: the JSON of the response, and its attachment if there is one.

        `RemoteError` becomes an answer. Returns a `Future` of these frames if the method answers
        later, and an awaitable if `real_process_request` gives one. Override
        `real_process_request`, not this method.
        """
        try:
            request = self.request_from_wire(json_body)
            response: Any = self.real_process_request(request, *other_parts)
        except RemoteError as error:
            return _Now(self.reply(refusal(error)))
        if isinstance(response, Future):
            later = _Later(response.request)
            response.add_done_callback(lambda done: later._complete(self.reply(done)))
            return later
        return (
            self._reply_later(response)
            if hasattr(response, "__await__")
            else _Now(self.reply(response))
        )

    async def _reply_later(self, waiting: Awaitable[Response]) -> Reply:
        try:
            response = await waiting
        except RemoteError as error:
            response = refusal(error)
        return self.reply(response)

    def request_from_wire(self, message: Attachment) -> Any:
        """Unpack a request. Raises `BadRequest`."""
        return self.request_from_dict(codec.dict_from_wire(message))

    def request_from_dict(self, data: dict[str, Any]) -> Any:
        """Build the request from a dict. Raises `BadRequest`."""
        raise NotImplementedError

    def real_process_request(
        self, request: Any, *other_parts: Attachment
    ) -> Response | Future | Awaitable[Response]:
        """Do the work of the command. May be `async def`."""
        raise NotImplementedError

    def reply(self, response: Response) -> Reply:
        """Pack a response; one that cannot be sent is logged, and an error is sent instead."""
        # Each part is checked, since a message that breaks off spoils the next one.
        try:
            body = codec.as_frame(self.response_to_wire(response))
            blob = response.attachment
            return [body] if blob is None else [body, codec.as_frame(blob)]
        except BaseException as error:
            if not is_failure(error):
                raise
            logger().exception("%s returned what cannot be sent", self._name(response.request))
            # In place, so that access logs and metrics see the actual answer.
            response.code = constants.ERROR_UNKNOWN
            response.message = "Unknown error during request"
            response.result, response.attachment, response.extensions = None, None, {}
            return [codec.as_frame(self.response_to_wire(response))]

    def response_to_wire(self, response: Response, **kw: Any) -> bytes:
        """Pack a response, with its code and error, and check its attachment."""
        if response.attachment is not None:
            response.attachment = codec.as_frame(response.attachment)
        data = {**codec.status_to_dict(response), **self.response_to_dict(response, **kw)}
        return codec.dict_to_wire(data, False, self.encoder)

    def response_to_dict(self, response: Response) -> dict[str, Any]:
        """Return the response without its code and error, as a dict of JSON values."""
        return {}

    def _name(self, request: Request | None) -> str:
        return type(self).__name__ if request is None else f"{request.interface}.{request.method}"


def refusal(error: RemoteError) -> Response:
    """The response that stands for an error."""
    return Response(None, code=error.code or constants.ERROR_UNKNOWN, message=str(error))
