"""What can be called: the base of remote components and of local interfaces."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from pycom_core import constants
from pycom_core.messages import Attachment, Request, Response

if TYPE_CHECKING:
    from pycom_core.context import Context

_Self = TypeVar("_Self", bound="BaseComponent")


class BaseComponent:
    """One interface that can be called; a context manager that closes it."""

    def __init__(self, interface: str, context: Context | None = None) -> None:
        self.name = interface  #: name of the interface
        self.context = context

    def invoke(
        self,
        method_name: str,
        args: Any = None,
        timeout: float | None = None,
        attachment: Attachment | None = None,
    ) -> Any:
        """Call a method.

        `args` is any JSON value; `timeout` is in ms, 5,000 where it is None. Returns the result,
        or (result, attachment) if an attachment came back.

        Raises the `RemoteError` of the answer, and `ServiceNotAvailable` if none came in time.
        """
        request = Request(self.name, method_name, args=args, attachment=attachment)
        if self.context is not None:
            request = self.context.before_call(self, request)
        response = self.invoke_with_request(request, timeout=timeout)
        if self.context is not None:
            response = self.context.after_call(self, response)
        if response.attachment is not None:
            return response.result, response.attachment
        return response.result

    def invoke_with_request(self, request: Request, timeout: float | None = None) -> Response:
        """Call with a request of one's own; `timeout` in ms. Raises as `invoke` does."""
        raise NotImplementedError

    def introspect(self) -> Any:
        """What the interface says of itself: name, methods, docstring, data."""
        return self.invoke(constants.GENERIC_METHOD_INTROSPECT)

    def close(self) -> None:
        """Let go of what the component holds."""

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
