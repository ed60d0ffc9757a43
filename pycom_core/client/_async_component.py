"""Components whose methods are awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import Any

from pycom_core import constants
from pycom_core.client import _conversations as conversations
from pycom_core.client._async_caller import AsyncCaller
from pycom_core.client._binding import Call, Calls
from pycom_core.client._choice import Use
from pycom_core.client._component import result_of
from pycom_core.client._drivers import drive_async
from pycom_core.client._remote import RemoteClient, RemoteComponent
from pycom_core.client._remote_methods import RemoteMethods, own
from pycom_core.messages import Attachment, Request, Response


class AsyncClient(RemoteClient):
    """A remote interface at an address, whose calls are awaited."""

    def __init__(
        self, address: str, iface: str, context: AsyncCaller, use: Use | None = None
    ) -> None:
        super().__init__(iface, address, context, context, use)
        self._channels = context.pool

    async def invoke(
        self,
        method_name: str,
        args: Any = None,
        timeout: float | None = None,
        attachment: Attachment | None = None,
    ) -> Any:
        """Call a method; as `BaseComponent.invoke`, awaited."""
        request = Request(self.name, method_name, args=args, attachment=attachment)
        talk = conversations.invoke(self, request, timeout)
        return result_of(await drive_async(talk, self._channels))

    async def invoke_with_request(self, request: Request, timeout: float | None = None) -> Response:
        """Call with a request of one's own; as `BaseComponent.invoke_with_request`, awaited."""
        talk = conversations.invoke_with_request(self, request, timeout)
        return await drive_async(talk, self._channels)

    async def describe(self) -> Calls:
        """Return the methods of the interface, as its service describes them."""
        return await drive_async(conversations.describe(self), self._channels)


class AsyncComponent(RemoteMethods, RemoteComponent):
    """A remote interface, and its methods as coroutines once `describe` has been awaited.

    `name`, `invoke`, `invoke_with_request`, `introspect`, `describe` and `close` hide methods of
    those names, which `invoke` can call. `session_id`, `with_timeout`, `context` and `address`
    give way to methods of those names.
    """

    _wrapped: AsyncClient

    def __init__(
        self, address: str, iface: str, context: AsyncCaller, use: Use | None = None
    ) -> None:
        super().__init__(AsyncClient(address, iface, context, use), UNKNOWN)

    def __repr__(self) -> str:
        return f"<AsyncComponent of {self.name} at {self._wrapped.address}>"

    async def describe(self) -> AsyncComponent:
        """Learn the methods of the interface from its service."""
        self._calls = await self._wrapped.describe()
        return self

    def _function(self, call: Call) -> Callable[..., Awaitable[Any]]:
        name, bind, read, invoke = call.described.name, call.bind, call.read, self._wrapped.invoke

        async def method(*args: Any, **kwargs: Any) -> Any:
            attachment = bind(args, kwargs)
            result = await invoke(name, kwargs, None, attachment)
            return result if read is None else read(result)

        return method

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name of the interface."""
        return self._wrapped.name

    @own
    def context(self) -> Any:
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
        """Call with a request of one's own; as `BaseComponent.invoke_with_request`, awaited."""
        return await self._wrapped.invoke_with_request(request, timeout)

    async def introspect(self) -> Any:
        """Return the description that the interface gives of itself."""
        return await self.invoke(constants.GENERIC_METHOD_INTROSPECT)

    def close(self) -> None:
        """Release the component; the connection stays with the context."""
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


#: A component has no methods until its service has described them.
UNKNOWN = Calls("", {"methods": {}})


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
