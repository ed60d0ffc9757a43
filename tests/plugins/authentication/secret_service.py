"""Services that want to know who calls."""

from __future__ import annotations

from typing import Any

import pycom


@pycom.interface("com.foo.secret", authentication="required")
class Secret(pycom.Service):
    @pycom.method
    def whoami(self, request: Any) -> Any:
        return [request.identity.name, *request.identity.roles]

    @pycom.method
    def user_info(self, request: Any) -> Any:
        return request.context().user_info()


@pycom.interface("com.foo.open")
class Open(pycom.Service):
    @pycom.method
    def whoami(self, request: Any) -> Any:
        return None if request.identity is None else request.identity.name
