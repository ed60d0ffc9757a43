"""Contexts on behalf of the caller of a request: its token, its deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycom_core import constants
from pycom_core.messages import Request

if TYPE_CHECKING:
    from pycom_core.client._async_context import AsyncContext
    from pycom_core.client._context import Context
    from pycom_core.client._pool_on_behalf import CallOnBehalf
    from pycom_core.client._proxy import ProxyContext
    from pycom_core.runtime._runtime import Runtime


class OnBehalf:
    """The connections and the known services that such contexts share.

    Usable from any thread. Most services never call, so each context is made on first use.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        # Setting a default is atomic: of what threads make at the same time the first is kept.
        self._sync: dict[None, Context] = {}
        self._async: dict[None, AsyncContext] = {}
        self._blocking: set[CallOnBehalf] = set()

    def context(self, request: Request) -> ProxyContext:
        """A context for sync methods. Its calls end with the request."""
        from pycom_core.client._context import Context
        from pycom_core.client._pool_on_behalf import PoolOnBehalf
        from pycom_core.client._proxy import ProxyContext

        shared = self._sync.get(None)
        if shared is None:
            shared = self._sync.setdefault(None, Context(runtime=self._runtime))
        context = shared.on_behalf_of(_token(request), request.deadline)
        if request.delivery is not None:
            context.pool = PoolOnBehalf(shared.pool, request.delivery, self._blocking)
        return ProxyContext(context)

    def async_context(self, request: Request) -> AsyncContext:
        """A context for `async def` methods."""
        from pycom_core.client._async_context import AsyncContext

        shared = self._async.get(None)
        if shared is None:
            shared = self._async.setdefault(None, AsyncContext(runtime=self._runtime))
        return shared.on_behalf_of(_token(request), request.deadline)

    def close(self) -> None:
        """Close the connections."""
        for context in (*self._sync.values(), *self._async.values()):
            context.close()


def _token(request: Request) -> object:
    return request.extensions.get(constants.AUTH_EXTENSION)
