"""The services that the vectors were recorded against."""

from __future__ import annotations

from typing import Any

import pycom
from pycom.ext.checks import check_argument


@pycom.interface("com.foo.example")
class Example(pycom.Service):
    """My Demo Service"""

    introspection_data = {"com.foo.example.x": None}  # noqa: RUF012

    @pycom.method
    def bar(self, request: Any, name: Any, value: Any = None) -> Any:
        """Pair a name with a value."""
        return {name: value}

    @pycom.method(results=("res1", "res2"))
    def swap(self, request: Any, arg1: Any, arg2: Any, arg3: Any = None) -> Any:
        return arg2, arg3

    @pycom.method(results=["one"])
    def single(self, request: Any, x: Any) -> Any:
        return x

    @pycom.method(attachments=("blob", None))
    def decode(self, request: Any, blob: bytes) -> str:
        return bytes(blob).decode("utf-8")

    @pycom.method(results=("orig", "blob"), attachments=(None, "blob"))
    def encode(self, request: Any, string: str) -> tuple[str, bytes]:
        return string, string.encode("utf-8")

    @pycom.method
    def raw(self, request: Any) -> Any:
        return request.response({"args": request.args}, attachment=request.attachment)

    @pycom.method
    def boom(self, request: Any) -> None:
        raise ValueError("secret detail")

    @pycom.method
    def denied(self, request: Any) -> None:
        raise pycom.AccessDenied("no entry")

    @pycom.method
    def custom(self, request: Any) -> None:
        raise pycom.RemoteError("custom failure", code=42)

    @pycom.method
    def err(self, request: Any) -> Any:
        return request.error(77, message="by hand")

    @pycom.method("renamed")
    def impl(self, request: Any) -> str:
        return "renamed"

    @check_argument("n", valid_types=int, validator=lambda _name, value: value > 0)
    @pycom.method
    def positive(self, request: Any, n: int) -> int:
        return n

    @pycom.method
    def ext(self, request: Any) -> Any:
        return request.extensions


@pycom.interface("com.foo.stateful", stateful=True)
class Stateful(pycom.Service):
    @pycom.method
    def incr(self, request: Any, by: int = 1) -> int:
        request.session["n"] = request.session.get("n", 0) + by
        return request.session["n"]

    @pycom.method
    def reset(self, request: Any) -> None:
        request.session.discard()


@pycom.interface("com.foo.secret", authentication="required")
class Secret(pycom.Service):
    @pycom.method
    def whoami(self, request: Any) -> Any:
        return request.context().user_info()
