"""A service that calls another one for its callers."""

from __future__ import annotations

from typing import Any

import pycom


@pycom.interface("com.foo.relay")
class Relay(pycom.Service):
    @pycom.method
    def whoami(self, request: Any) -> Any:
        with request.context().locate("com.foo.secret") as secret:
            return secret.whoami()
