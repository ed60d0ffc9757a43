"""The CALL command."""

from __future__ import annotations

from typing import Any

from pycom_core import BaseCommand, constants, dict_to_wire
from pycom_core.errors import BadRequest
from pycom_core.messages import Attachment, Future, Request, Response


class CallCommand(BaseCommand):
    """The CALL command, on both sides of the wire."""

    # Client side.

    def request_to_wire(
        self,
        request: Request,
        session_id: str | None = None,
        deadline: int | None = None,
        **kw: Any,
    ) -> bytes:
        """Pack a request; see `request_to_dict`."""
        # As the base does, without a dict of keywords on the way of each call.
        data = self.request_to_dict(request, session_id, deadline, **kw)
        return dict_to_wire(data, True, self.encoder)

    def request_to_dict(
        self,
        request: Request,
        session_id: str | None = None,
        deadline: int | None = None,
        **kw: Any,
    ) -> dict[str, Any]:
        """The request object: with the session of the client, and a `deadline`, ms from now."""
        data = {"interface": request.interface, "method": request.method, "args": request.args}
        if session_id is not None:
            data["session_id"] = session_id
        if deadline is not None:
            data["extensions"] = {constants.DEADLINE_EXTENSION: deadline, **request.extensions}
        elif request.extensions:
            data["extensions"] = request.extensions
        return data

    def response_from_dict(self, data: dict[str, Any]) -> Response:
        """The response of a response object."""
        return Response(
            None,
            result=data.get("result"),
            session_id=data.get("session_id"),
            extensions=data.get("extensions"),
        )

    # Server side.

    def request_from_dict(self, data: dict[str, Any]) -> Request:
        """The request of a request object. Raises `BadRequest`."""
        get = data.get
        interface, method, session_id = get("interface"), get("method"), get("session_id")
        extensions = get("extensions")
        if type(interface) is not str:
            raise _wrong_field(data, "interface", "a string")
        if type(method) is not str:
            raise _wrong_field(data, "method", "a string")
        if session_id is not None and type(session_id) is not str:
            raise _wrong_field(data, "session_id", "a string or null")
        if extensions is not None and type(extensions) is not dict:
            raise _wrong_field(data, "extensions", "an object or null")
        return Request(interface, method, session_id, get("args"), extensions)

    def real_process_request(self, request: Request, *other_parts: Attachment) -> Response | Future:
        """Call the method. The attachment is the one part that may follow."""
        assert self.server is not None
        if len(other_parts) > 1:
            raise BadRequest(f"Expected 2-3 parts, got {len(other_parts) + 2}")
        if other_parts:
            request.attachment = other_parts[0]
        answer: Response | Future = self.server.process(request)
        return answer

    def response_to_dict(self, response: Response, **kw: Any) -> dict[str, Any]:
        """Session, result and extensions of a response."""
        data: dict[str, Any] = {} if response.code else {"result": response.result}
        if response.session_id is not None:
            data["session_id"] = response.session_id
        if response.extensions:
            data["extensions"] = response.extensions
        return data


def _wrong_field(data: dict[str, Any], name: str, expected: str) -> BadRequest:
    if name not in data:
        return BadRequest(f"Field {name} is required")
    return BadRequest(f"Field {name} must be {expected}, not {_json_type(data[name])}")


_JSON_TYPES = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    type(None): "null",
}


def _json_type(value: Any) -> str:
    return _JSON_TYPES.get(type(value), "a number")
