"""Components whose methods are awaited."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pycom_core import constants
from pycom_core.client import frames_to_response, request_to_frames
from pycom_core.copying import LOCATE_AGAIN, refused
from pycom_core.messages import Attachment, Request, Response
from pycom_core.proxy import Call, describe_call

if TYPE_CHECKING:
    from pycom_core.aio.context import AsyncContext
    from pycom_core.calling import Use


class AsyncComponent:
    """A remote interface, and its methods as coroutines once `describe` has been awaited.

    The names of the component itself (`invoke`, `introspect`, `close`) go before those of methods;
    `invoke` calls any method.
    """

    def __init__(
        self, address: str, iface: str, context: AsyncContext, use: Use | None = None
    ) -> None:
        self._name, self._address, self._context, self._use = iface, address, context, use
        self._session_id: str | None = None
        self._methods: Mapping[str, Any] = {}

    __reduce__ = refused(LOCATE_AGAIN)

    def __repr__(self) -> str:
        return f"<AsyncComponent of {self._name} at {self._address}>"

    @property
    def name(self) -> str:
        """Name of the interface."""
        return self._name

    async def invoke(
        self,
        method_name: str,
        args: Any = None,
        timeout: float | None = None,
        attachment: Attachment | None = None,
    ) -> Any:
        """Call a method; as `BaseComponent.invoke`, awaited."""
        request = Request(self._name, method_name, args=args, attachment=attachment)
        request = self._context.before_call(self, request)
        response = await self.invoke_with_request(request, timeout)
        response = self._context.after_call(self, response)
        if response.attachment is not None:
            return response.result, response.attachment
        return response.result

    async def invoke_with_request(self, request: Request, timeout: float | None = None) -> Response:
        """Call with a request of one's own; `timeout` in ms."""
        timeout = self._context.time_left(timeout)
        payload = request_to_frames(request, self._session_id, timeout)
        channel = self._context.channel(self._address)
        use, started = self._use, time.monotonic()
        if use is not None:
            use.begin()
        try:
            reply = await channel.exchange(payload, timeout)
            response = frames_to_response(reply, self._name, self._context.views)
        except BaseException as error:
            if use is not None:
                use.end(time.monotonic() - started, error)
            raise
        if use is not None:
            use.end(time.monotonic() - started, None)
        response.request = request
        if response.session_id is not None:
            self._session_id = response.session_id
        return response

    async def describe(self) -> AsyncComponent:
        """Learn the methods of the interface from its service."""
        self._methods = await self._context.description(self._address, self._name, self)
        return self

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name == "_methods" or name.startswith("__"):  # what Python asks for is of this object
            raise AttributeError(name)
        description = self._methods.get(name)
        if description is None:
            raise AttributeError(f"Interface {self._name} has no method {name!r}")
        call: Call = describe_call(self._name, name, description)

        async def method(*args: Any, **kwargs: Any) -> Any:
            attachment = call.bind(args, kwargs)
            return call.read(await self.invoke(name, kwargs, attachment=attachment))

        method.__name__, method.__doc__ = name, call.docstring
        self.__dict__[name] = method
        return method

    async def introspect(self) -> Any:
        """What the interface says of itself."""
        return await self.invoke(constants.GENERIC_METHOD_INTROSPECT)

    def close(self) -> None:
        """Let go of the component; the connection stays with the context."""
        if self._use is not None:
            self._use.release()

    async def __aenter__(self) -> AsyncComponent:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


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
