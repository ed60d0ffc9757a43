"""The bases of callables: remote components, sync and asyncio, and local interfaces."""

from __future__ import annotations

from types import TracebackType
from typing import Any, TypeVar

from pycom_core import constants, timeouts
from pycom_core.messages import Attachment, Request, Response

_AnyComponent = TypeVar("_AnyComponent", bound="Component")
_Self = TypeVar("_Self", bound="BaseComponent")


class Component:
    """One interface that can be called."""

    #: ms, for calls without one; None: that of the context
    _timeout: float | None = None

    def __init__(self, interface: str) -> None:
        self.name = interface  #: name of the interface
        self._held = _Held()

    @property
    def session_id(self) -> str | None:
        """Id of the session with a stateful interface.

        Set it to continue a session that was begun elsewhere; None begins a new one.
        """
        return self._held.session_id

    @session_id.setter
    def session_id(self, value: str | None) -> None:
        self._held.session_id = value

    def with_timeout(self: _AnyComponent, timeout: float | None) -> _AnyComponent:
        """Return the same component, session and connection, with its own timeout for each call.

        `timeout` is in ms; None and infinity are no limit. Raises ValueError for nan.
        """
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, _timeout=timeouts.limit(timeout))
        return twin


class _Held:
    """The state that a component shares with those that `with_timeout` makes of it."""

    session_id: str | None = None


class BaseComponent(Component):
    """One interface that can be called; a context manager that closes it."""

    context: Any = None  #: that it comes from, sync or asyncio

    def invoke(
        self,
        method_name: str,
        args: Any = None,
        timeout: float | None = None,
        attachment: Attachment | None = None,
    ) -> Any:
        """Call a method.

        `args` is any JSON value. `timeout` is in ms, infinity is no limit; None means that of
        `with_timeout`, or that of the context, or 5,000. Returns the result, or (result,
        attachment) if an attachment came back.

        Raises the `RemoteError` of the answer, and `ServiceNotAvailable` if none came in time.
        """
        request = Request(self.name, method_name, args=args, attachment=attachment)
        return result_of(self.invoke_with_request(request, timeout=timeout))

    def invoke_with_request(self, request: Request, timeout: float | None = None) -> Response:
        """Call with a request of one's own; `timeout` in ms. Raises as `invoke` does.

        No hook of clients sees it, and the token of the context is not added.
        """
        raise NotImplementedError

    def introspect(self) -> Any:
        """Return the description of the interface: name, methods, docstring, data."""
        return self.invoke(constants.GENERIC_METHOD_INTROSPECT)

    def close(self) -> None:
        """Release the resources of the component."""

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def result_of(response: Response) -> Any:
    """Return the result, or (result, attachment) if an attachment came."""
    if response.attachment is not None:
        return response.result, response.attachment
    return response.result
