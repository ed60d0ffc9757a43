"""The CALL command."""

from __future__ import annotations

from typing import Any

from pycom_core import BaseCommand, codec, constants
from pycom_core.errors import BadRequest, RemoteError
from pycom_core.log import logger
from pycom_core.messages import Attachment, Request, Response


class CallCommand(BaseCommand):
    """The CALL command, on both sides of the wire."""

    needs_task = False

    def request_to_dict(
        self, request: Request, session_id: str | None = None, **kw: Any
    ) -> dict[str, Any]:
        """The request object, with the session that the client holds."""
        return codec.request_to_dict(request, session_id)

    def request_from_dict(self, data: dict[str, Any]) -> Request:
        """Build the request. Raises `BadRequest`."""
        return codec.request_from_dict(data)

    def response_to_dict(self, response: Response, **kw: Any) -> dict[str, Any]:
        """Session, result and extensions of a response."""
        return codec.response_to_dict(response)

    def response_from_dict(self, data: dict[str, Any]) -> Response:
        """Build the response."""
        return codec.response_from_dict(data)

    async def real_process_request(self, request: Request, *other_parts: Attachment) -> Response:
        """Call the method. No text of an unexpected exception gets into the response."""
        assert self.server is not None
        try:
            if len(other_parts) > 1:
                raise BadRequest(f"Expected 2-3 parts, got {len(other_parts) + 2}")
            if other_parts:
                request.attachment = other_parts[0]
            return await self.server.process(request)
        except RemoteError as error:
            return request.error(error.code or constants.ERROR_UNKNOWN, str(error))
        except Exception:
            logger().exception("%s.%s failed", request.interface, request.method)
            return request.error(constants.ERROR_UNKNOWN, "Unknown error during request")

    def response_to_wire(self, response: Response, **kw: Any) -> bytes:
        """Pack a response; what cannot be sent is a failure of the method."""
        try:
            return super().response_to_wire(response, **kw)
        except Exception:
            request = response.request
            name = f"{request.interface}.{request.method}" if request else "A command"
            logger().exception("%s returned what cannot be sent", name)
            failure = Response(
                None,
                code=constants.ERROR_UNKNOWN,
                message="Unknown error during request",
                session_id=response.session_id,
            )
            response.attachment = None
            return super().response_to_wire(failure, **kw)
