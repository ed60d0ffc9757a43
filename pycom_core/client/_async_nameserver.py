"""The nameserver as a component of asyncio."""

from __future__ import annotations

from typing import Any

from pycom_core import constants
from pycom_core.client._async_caller import AsyncCaller
from pycom_core.client._async_component import UNKNOWN, AsyncComponent
from pycom_core.client._binding import Calls
from pycom_core.client._component import result_of
from pycom_core.client._drivers import drive_async
from pycom_core.client._nameserver import Replicas
from pycom_core.client._remote_methods import RemoteMethods
from pycom_core.messages import Attachment, Request, Response


class AsyncNameserver(AsyncComponent):
    """The nameserver of a context of asyncio, and its methods."""

    def __init__(self, owner: AsyncCaller) -> None:
        RemoteMethods.__init__(self, _AsyncReplicas(owner), UNKNOWN)


class _AsyncReplicas(Replicas):
    _owner: AsyncCaller

    async def invoke(
        self,
        method_name: str,
        args: Any = None,
        timeout: float | None = None,
        attachment: Attachment | None = None,
    ) -> Any:
        request = Request(self.name, method_name, args=args, attachment=attachment)
        return result_of(await self.invoke_with_request(request, timeout))

    async def invoke_with_request(self, request: Request, timeout: float | None = None) -> Response:
        return await drive_async(self._ask(request, timeout), self._owner.pool)

    async def describe(self) -> Calls:
        return Calls(self.name, await self.invoke(constants.GENERIC_METHOD_INTROSPECT))

    def close(self) -> None:
        pass
