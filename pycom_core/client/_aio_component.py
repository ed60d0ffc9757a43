"""Components whose methods are awaited."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pycom_core import constants
from pycom_core._copying import LOCATE_AGAIN, refused
from pycom_core.client._binding import Call, Calls
from pycom_core.client._client import frames_to_response, name_call, request_to_frames
from pycom_core.client._component import Component
from pycom_core.client._remote_methods import RemoteMethods, own
from pycom_core.errors import ServiceNotAvailable
from pycom_core.messages import Attachment, Request, Response

if TYPE_CHECKING:
    from pycom_core.client._aio_context import AsyncContext
    from pycom_core.client._caller import Use


class AsyncClient(Component):
    """A remote interface at an address, whose calls are awaited."""

    def __init__(
        self, address: str, iface: str, context: AsyncContext, use: Use | None = None
    ) -> None:
        super().__init__(iface)
        self.address, self.context, self._use = address, context, use

    __reduce__ = refused(LOCATE_AGAIN)

    def __repr__(self) -> str:
        return f"<AsyncClient of {self.name} at {self.address}>"

    async def invoke(
        self,
        method_name: str,
        args: Any = None,
        timeout: float | None = None,
        attachment: Attachment | None = None,
    ) -> Any:
        """Call a method; as `BaseComponent.invoke`, awaited."""
        request = Request(self.name, method_name, args=args, attachment=attachment)
        request = self.context.before_call(self, request)
        response = await self.invoke_with_request(request, timeout)
        response = self.context.after_call(self, response)
        if response.attachment is not None:
            return response.result, response.attachment
        return response.result

    async def invoke_with_request(self, request: Request, timeout: float | None = None) -> Response:
        """Call with a request of one's own; `timeout` in ms."""
        timeout = self.context.time_left(self._timeout if timeout is None else timeout)
        payload = request_to_frames(
            request, self._held.session_id, timeout, self.context.runtime.types.encoder
        )
        channel = self.context.channel(self.address)
        use, started = self._use, time.monotonic()
        if use is not None:
            use.begin()
        try:
            reply = await channel.exchange(payload, timeout)
            response = frames_to_response(reply, self.name, self.context.views)
        except BaseException as error:
            if isinstance(error, ServiceNotAvailable):
                name_call(error, request, use)
            if use is not None:
                use.end(time.monotonic() - started, error)
            raise
        if use is not None:
            use.end(time.monotonic() - started, None)
        response.request = request
        if response.session_id is not None:
            self._held.session_id = response.session_id
        return response

    def close(self) -> None:
        """Let go of the component; the connection stays with the context."""
        if self._use is not None:
            self._use.release()


class AsyncComponent(RemoteMethods):
    """A remote interface, and its methods as coroutines once `describe` has been awaited.

    `name`, `invoke`, `invoke_with_request`, `introspect`, `describe` and `close` go before methods
    of those names, which `invoke` calls. `session_id`, `with_timeout`, `context` and `address` are
    there where the interface has no method of that name.
    """

    _wrapped: AsyncClient

    def __init__(
        self, address: str, iface: str, context: AsyncContext, use: Use | None = None
    ) -> None:
        super().__init__(AsyncClient(address, iface, context, use), _UNKNOWN)

    def __repr__(self) -> str:
        return f"<AsyncComponent of {self.name} at {self._wrapped.address}>"

    async def describe(self) -> AsyncComponent:
        """Learn the methods of the interface from its service."""
        self._calls = await self._wrapped.context.description(self._wrapped)
        return self

    def _function(self, call: Call) -> Callable[..., Awaitable[Any]]:
        name, bind, read, invoke = call.described.name, call.bind, call.read, self._wrapped.invoke

        async def method(*args: Any, **kwargs: Any) -> Any:
            attachment = bind(args, kwargs)
            result = await invoke(name, kwargs, None, attachment)
            return result if read is None else read(result)

        return method

    @property
    def name(self) -> str:
        """Name of the interface."""
        return self._wrapped.name

    @own
    def context(self) -> AsyncContext:
        """The context that found it."""
        return self._wrapped.context

    @own
    def address(self) -> str:
        """Address of the service."""
        return self._wrapped.address

    async def invoke(
        self,
        method_name: str,
        args: Any = None,
        timeout: float | None = None,
        attachment: Attachment | None = None,
    ) -> Any:
        """Call a method; as `BaseComponent.invoke`, awaited."""
        return await self._wrapped.invoke(method_name, args, timeout, attachment)

    async def invoke_with_request(self, request: Request, timeout: float | None = None) -> Response:
        """Call with a request of one's own; `timeout` in ms."""
        return await self._wrapped.invoke_with_request(request, timeout)

    async def introspect(self) -> Any:
        """What the interface says of itself."""
        return await self.invoke(constants.GENERIC_METHOD_INTROSPECT)

    def close(self) -> None:
        """Let go of the component; the connection stays with the context."""
        self._wrapped.close()

    async def __aenter__(self) -> AsyncComponent:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


#: Before its service has been asked a component has no methods.
_UNKNOWN = Calls("", {"methods": {}})


class Opening:
    """A component that is being located: await it, or enter it with `async with`."""

    def __init__(self, open_component: Callable[[], Awaitable[AsyncComponent]]) -> None:
        self._open = open_component
        self._component: AsyncComponent | None = None

    def __await__(self) -> Generator[Any, None, AsyncComponent]:
        return self._open().__await__()

    async def __aenter__(self) -> AsyncComponent:
        self._component = await self._open()
        return self._component

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._component is not None:
            self._component.close()
