"""The authenticator of the vectors, in a process of its own."""

from __future__ import annotations

from typing import Any

import pycom

PREFIX = "token-for-"


@pycom.interface("org.pycom.authenticator", authentication="never")
class Authenticator(pycom.Service):
    @pycom.method(results=("token",))
    def authenticate(self, request: Any, user: str, credentials: str) -> str:
        if credentials != "pw":
            raise pycom.AccessDenied("bad credentials")
        return PREFIX + user

    @pycom.method(results=("name", "roles"))
    def validate(self, request: Any, token: str) -> tuple[str, list[str]]:
        if not token.startswith(PREFIX):
            raise pycom.AccessDenied("bad token")
        return token.removeprefix(PREFIX), ["user"]
