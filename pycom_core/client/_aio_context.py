"""The context of asyncio programs."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pycom_core import constants
from pycom_core.client._aio_component import AsyncClient, AsyncComponent, Opening
from pycom_core.client._binding import Calls
from pycom_core.client._caller import Caller, Use
from pycom_core.client._client import command_to_frames, frames_to_answer
from pycom_core.client.discovery import _nameservers as nsclient
from pycom_core.client.discovery._cache import Key
from pycom_core.errors import MethodNotFound, PycomError, ServiceNotAvailable, ServiceNotFound
from pycom_core.log import logger
from pycom_core.messages import Attachment
from pycom_core.transport._aio import AsyncChannel
from pycom_core.transport._async_pool import AsyncPool

if TYPE_CHECKING:
    from pycom_core.wire._commands import BaseCommand


class AsyncContext(Caller):
    """Finds and calls services from event loops, with many calls in flight on one socket.

    Takes the arguments of `Context`, and has its hooks. Its components are proxies::

        async with ctx.locate("com.foo.example") as component:
            await component.bar("field1", value=42)

    `await ctx.locate(…)` gives the component as well. A call that is cancelled gives up its
    place, and its late reply is dropped. Any number of threads, with a loop each, may share a
    context; each loop has sockets of its own, which end with it.
    """

    def _prepare(self) -> None:
        self.pool = AsyncPool(self.runtime.connect_async)
        self._borrowed = False
        self._refreshes: set[asyncio.Task[Any]] = set()

    # Who calls.

    async def authenticate(
        self, user: Any = None, credentials: Any = None, token: str | None = None
    ) -> None:
        """Make all further calls as `user`, or as whom `token` belongs to.

        Raises `AccessDenied`, and `ServiceNotFound` without an authenticator.
        """
        if token is None:
            arguments = {"user": user, "credentials": credentials}
            token = (await self._ask_authenticator("authenticate", arguments))["token"]
        else:
            await self._ask_authenticator("validate", {"token": token})
        self.token = token

    async def user_info(self) -> Any:
        """What the authenticator says of the caller; None: nobody. Raises `AccessDenied`."""
        if self.token is None:
            return None
        return await self._ask_authenticator("validate", {"token": self.token})

    async def _ask_authenticator(self, method: str, arguments: dict[str, Any]) -> Any:
        component = await self._find((constants.AUTH_INTERFACE, None))
        try:
            return await component.invoke(method, arguments)
        finally:
            component.close()

    # Finding and connecting.

    def locate(self, iface: str, service_name: str | None = None) -> Opening:
        """A component for `iface`; await it, or enter it. Raises as `Context.locate` does."""

        async def open_component() -> AsyncComponent:
            component = await self._find((iface, service_name))
            try:
                return await component.describe()
            except BaseException:
                component.close()
                raise

        return Opening(open_component)

    def connect(self, address: str, iface: str) -> Opening:
        """A component for `iface` at an address that is known; await it, or enter it."""
        return Opening(AsyncComponent(address, iface, self).describe)

    def nameserver(self) -> Opening:
        """The nameserver; await it, or enter it. Raises `ServiceNotFound`."""

        async def open_component() -> AsyncComponent:
            _, address = await self._ask_nameserver(constants.NS_METHOD_STAT, None)
            # Credentials and hooks are not for nameservers.
            anybody = self.on_behalf_of(None, self.deadline)
            return await AsyncComponent(address, constants.NS_INTERFACE, anybody).describe()

        return Opening(open_component)

    async def _find(self, key: Key) -> AsyncComponent:
        records = self.records.get(key)
        if records:
            use = self.choose(records, key[0])
            if self.pool.is_alive(use.address):
                if self.records.wants_refresh(key):
                    task = asyncio.ensure_future(self._refresh(key))
                    self._refreshes.add(task)
                    task.add_done_callback(self._refreshes.discard)
                return self._component(use, key)
            use.release()
            records = (use.record,)
        return self._component(self.choose_again(records, await self._ask(key), key[0]), key)

    def _component(self, use: Use, key: Key) -> AsyncComponent:
        return AsyncComponent(use.address, key[0], self, use)

    async def _ask(self, key: Key) -> Any:
        try:
            try:
                found, _ = await self._ask_nameserver(
                    constants.NS_METHOD_FIND, nsclient.find_arguments(*key)
                )
            except MethodNotFound:  # a nameserver of 0.6.0
                found, _ = await self._ask_nameserver(
                    constants.NS_METHOD_LIST_SERVICES, nsclient.list_arguments(*key)
                )
            records = nsclient.records_from(found, key[0])
        except nsclient.NoNameserver:
            raise
        except ServiceNotFound:
            self.records.forget(key)
            raise
        self.records.put(key, records)
        return records

    async def _refresh(self, key: Key) -> None:
        try:
            await self._ask(key)
        except PycomError as error:
            logger().debug("Could not refresh what is known of %s: %s", key[0], error)

    async def _ask_nameserver(self, method: str, arguments: Any) -> tuple[Any, str]:
        """The answer of the first replica that gives one, and its address."""
        share = self.share(None)
        problems: list[str] = []
        for name in list(self.nameservers):
            try:
                address = nsclient.address_of(self.runtime, name)
                # Credentials and hooks are not for nameservers.
                component = AsyncClient(address, constants.NS_INTERFACE, self)
                request = nsclient.request(method, arguments)
                response = await component.invoke_with_request(request, share)
            except ServiceNotAvailable as error:
                problems.append(str(error))
                nsclient.pass_over(self.nameservers, name)
            else:
                return response.result, address
        raise nsclient.NoNameserver("No nameserver answers: " + "; ".join(problems))

    async def send_command(
        self,
        server: str | AsyncComponent,
        name: bytes,
        command: BaseCommand,
        request: Any = None,
        timeout: float | None = None,
        attachment: Attachment | None = None,
    ) -> Any:
        """Send a command of the protocol that a plugin adds; as `Context.send_command`, awaited."""
        address = server if isinstance(server, str) else server._wrapped.address
        timeout = self.time_left(timeout)
        payload = command_to_frames(name, command, request, attachment)
        reply = await self.channel(address).exchange(payload, timeout)
        return frames_to_answer(command, reply, address, self.views)

    # What components share.

    def channel(self, address: str) -> AsyncChannel:
        """The channel of this event loop to an address."""
        return self.pool.to(address)

    async def description(self, component: AsyncClient) -> Calls:
        """The methods of an interface: asked for once, as long as a connection stands."""
        key = (component.address, component.name)
        if key not in self.descriptions or not self.channel(component.address).is_alive():
            found = await component.invoke(constants.GENERIC_METHOD_INTROSPECT)
            self.descriptions[key] = Calls(component.name, found)
        return self.descriptions[key]

    def close(self) -> None:
        """Close all connections, from any thread. Calls in flight fail: `ServiceNotAvailable`."""
        if not self._borrowed:
            self.pool.close()

    def __copy__(self) -> AsyncContext:
        twin = super().__copy__()
        twin._borrowed = True
        return twin

    async def __aenter__(self) -> AsyncContext:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
