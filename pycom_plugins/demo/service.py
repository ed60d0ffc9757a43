"""A service to try things on."""

from __future__ import annotations

from typing import Any

from pycom_core import RemoteError, Request, interface, method

INTERFACE = "org.pycom.demo"


@interface(INTERFACE)
class Demo:
    """Demo interface."""

    introspection_data: dict[str, Any] = {}  # noqa: RUF012

    @method
    def echo(self, request: Request) -> Any:
        """Return the arguments as they came."""
        return request.args

    @method
    def throw(self, request: Request) -> Any:
        """Fail with code 1 and the arguments as text."""
        raise RemoteError(repr(request.args))
