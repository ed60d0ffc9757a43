"""A service to call in the tests of the kit, and both ways to call it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pycom
from pycom_core.client._conversations import locate
from pycom_core.client._drivers import drive_async
from pycom_core.messages import Request
from pycom_core.testing.network import Network


@pycom.interface("com.foo.counter", stateful=True)
class Sessions(pycom.Service):
    @pycom.method
    def count(self, request: Any) -> int:
        request.session["count"] = request.session.get("count", 0) + 1
        return int(request.session["count"])


@pycom.interface("com.foo.worker")
class Worker(pycom.Service):
    """A service that remembers its work."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.began = threading.Event()
        self.may_end = threading.Event()

    @pycom.method
    def work(self, request: Any, item: Any) -> Any:
        self.done.append(item)
        return item

    @pycom.method
    async def take_long(self, request: Any) -> str:
        self.began.set()
        await asyncio.get_running_loop().run_in_executor(None, self.may_end.wait)
        return "done"

    @pycom.method
    def pass_on(self, request: Any, interface: str, item: Any) -> Any:
        return request.context().locate(interface).invoke("work", {"item": item})


@pycom.interface("com.foo.other")
class Other(Worker):
    """The same, under another name."""


Call = Callable[..., Any]


def sync_calls(network: Network, timeout: float) -> Call:
    """Calls by a `Context`."""
    context = network.context(timeout=timeout)

    def call(method: str, args: Any = None, interface: str = "com.foo.worker") -> Any:
        return context.locate(interface).invoke(method, args)

    return call


def async_calls(network: Network, timeout: float) -> Call:
    """Calls by an `AsyncContext`, on a loop of its own."""

    async def call(method: str, args: Any, interface: str) -> Any:
        async with network.async_context(timeout=timeout) as context:
            found = await drive_async(locate(context, (interface, None)), context.pool)
            opening = context._component(found.address, interface, found)
            request = Request(interface, method, args=args)
            return (await opening.invoke_with_request(request)).result

    return lambda method, args=None, interface="com.foo.worker": asyncio.run(
        call(method, args, interface)
    )
