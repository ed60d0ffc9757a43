"""The context of asyncio programs."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from pycom_core import constants
from pycom_core.client import _conversations as conversations
from pycom_core.client._async_caller import AsyncCaller
from pycom_core.client._async_component import AsyncComponent, Opening
from pycom_core.client._async_nameserver import AsyncNameserver
from pycom_core.client._choice import Use
from pycom_core.client._drivers import drive_async
from pycom_core.messages import Attachment

if TYPE_CHECKING:
    from pycom_core.client._remote import RemoteComponent
    from pycom_core.wire._commands import BaseCommand


class AsyncContext(AsyncCaller):
    """Finds and calls services from event loops, with many calls in flight on one socket.

    Takes the arguments of `Context`, and has its hooks. Its components are proxies::

        async with ctx.locate("com.foo.example") as component:
            await component.bar("field1", value=42)

    `await ctx.locate(…)` gives the component as well. The late reply to a cancelled call is
    dropped. Any number of threads, with a loop each, may share a context; each loop has sockets
    of its own, which end with it.
    """

    # Who calls.

    async def authenticate(
        self, user: Any = None, credentials: Any = None, token: str | None = None
    ) -> None:
        """Make all further calls as `user`, or as the owner of `token`.

        Raises `AccessDenied`, and `ServiceNotFound` without an authenticator.
        """
        await drive_async(conversations.authenticate(self, user, credentials, token), self.pool)

    async def user_info(self) -> Any:
        """Ask the authenticator who the caller is; None: nobody. Raises `AccessDenied`."""
        return await drive_async(conversations.user_info(self), self.pool)

    # Finding and connecting.

    def locate(self, iface: str, service_name: str | None = None) -> Opening:
        """A component for `iface`; await it, or enter it. Raises as `Context.locate` does."""

        async def open_component() -> AsyncComponent:
            talk = conversations.locate(self, (iface, service_name))
            use = await drive_async(talk, self.pool)
            component = self._component(use.address, iface, use)
            try:
                return await component.describe()
            except BaseException:
                component.close()
                raise

        return Opening(open_component)

    def connect(self, address: str, iface: str) -> Opening:
        """A component for `iface` at an address that is known; await it, or enter it."""
        return Opening(self._component(address, iface).describe)

    def nameserver(self) -> Opening:
        """The nameserver; await it, or enter it. Raises `ServiceNotFound` if it does not answer."""

        async def open_component() -> AsyncComponent:
            found = AsyncNameserver(self)
            await found.invoke(constants.NS_METHOD_STAT)
            return await found.describe()

        return Opening(open_component)

    def _component(self, address: str, iface: str, use: Use | None = None) -> AsyncComponent:
        return AsyncComponent(address, iface, self, use)

    async def send_command(
        self,
        server: str | RemoteComponent | Any,
        name: bytes,
        command: BaseCommand,
        request: Any = None,
        timeout: float | None = None,
        attachment: Attachment | None = None,
    ) -> Any:
        """Send a command of the protocol that a plugin adds; as `Context.send_command`, awaited."""
        talk = conversations.send_command(self, server, name, command, request, timeout, attachment)
        return await drive_async(talk, self.pool)

    # Life.

    async def __aenter__(self) -> AsyncContext:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
