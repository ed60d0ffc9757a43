"""The CALL command."""

from __future__ import annotations

from typing import Any

from pycom_core import BaseCommand, constants
from pycom_core.errors import BadRequest, RemoteError
from pycom_core.log import logger
from pycom_core.loops._failures import is_failure
from pycom_core.messages import Attachment, Request, Response
from pycom_core.wire import _codec as codec


class CallCommand(BaseCommand):
    """The CALL command, on both sides of the wire."""

    needs_task = False

    request_from_dict = staticmethod(codec.request_from_dict)
    response_from_dict = staticmethod(codec.response_from_dict)

    def request_to_dict(
        self, request: Request, session_id: str | None = None, **kw: Any
    ) -> dict[str, Any]:
        """The request object, with the session that the client holds."""
        return codec.request_to_dict(request, session_id)

    def response_to_dict(self, response: Response, **kw: Any) -> dict[str, Any]:
        """Session, result and extensions of a response."""
        return codec.response_to_dict(response)

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
        except BaseException as error:
            if not is_failure(error):
                raise
            logger().exception("%s.%s failed", request.interface, request.method)
            return request.error(constants.ERROR_UNKNOWN, "Unknown error during request")
