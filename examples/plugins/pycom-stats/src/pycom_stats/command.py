"""The command STATS, on both sides of the wire."""

from __future__ import annotations

import hmac
import time
from typing import Any, Final

from pycom_core import AccessDenied, BadRequest, BaseCommand, Response, Server
from pycom_stats.counting import Counts

NAME: Final = b"STATS"


class StatsCommand(BaseCommand):
    """Requests are tokens, or None; results are reports."""

    def __init__(
        self, server: Server | None = None, counts: Counts | None = None, token: str | None = None
    ) -> None:
        super().__init__(server)
        self._counts, self._token = counts or Counts(), token
        self._started = time.monotonic()

    def request_to_dict(self, request: str | None, **kw: Any) -> dict[str, Any]:
        """The request object."""
        return {} if request is None else {"token": request}

    def request_from_dict(self, data: dict[str, Any]) -> str | None:
        """Return the token. Raises `BadRequest` if it is not a text."""
        token = data.get("token")
        if token is not None and not isinstance(token, str):
            raise BadRequest("Field token must be a string")
        return token

    def real_process_request(self, request: str | None, *other_parts: object) -> Response:
        """Report. Raises `AccessDenied` for a token that is not the one of the configuration."""
        given = (request or "").encode("utf-8", "surrogatepass")
        if self._token is not None and not hmac.compare_digest(given, self._token.encode()):
            raise AccessDenied("STATS needs the token of the configuration")
        return Response(
            None,
            result={
                "uptime": round(time.monotonic() - self._started, 3),
                "in_flight": self.server.in_flight - 1 if self.server is not None else 0,
                "methods": self._counts.report(),
            },
        )

    def response_to_dict(self, response: Response) -> dict[str, Any]:
        """The result."""
        return {"result": response.result} if response.code == 0 else {}

    def response_from_dict(self, data: dict[str, Any]) -> Any:
        """The report."""
        return data["result"]
