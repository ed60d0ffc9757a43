"""Calls of an event loop that stay within the process."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Iterator
from typing import Any

import helpers
import pytest
from awaited import awaited, comes_true
from in_process import MakeRuntime, payload, running

from pycom_core import (
    CallTimeout,
    Request,
    Runtime,
    ServiceServer,
    interface,
    method,
)
from pycom_core.transport._local import AsyncLocalChannel

IFACE = "com.foo.awaited"
AMPLE = helpers.PATIENCE * 1000


def begin(channel: Any, *frames: bytes, timeout: float = AMPLE) -> asyncio.Task[Any]:
    """Start a call."""
    return asyncio.ensure_future(channel.exchange([b"CALL", *frames], timeout))


@interface(IFACE)
class Near:
    def __init__(self) -> None:
        self.started = threading.Event()
        self.cancelled = threading.Event()
        self.release = threading.Event()
        self.thread: threading.Thread | None = None

    @method
    async def later(self, request: Request) -> str:
        self.thread = threading.current_thread()
        await asyncio.sleep(0)
        return "later"

    @method
    async def stuck(self, request: Request) -> None:
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()

    @method
    def work(self, request: Request) -> None:
        self.started.set()
        if request.cancelled.wait(helpers.PATIENCE):
            self.cancelled.set()

    @method
    async def stubborn(self, request: Request) -> None:
        """Does not heed that it is cancelled."""
        self.started.set()
        while not self.release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.001)


class Served:
    """A server on the loop of the test, on that of another thread, or on none."""

    def __init__(self, where: str, runtime: Runtime) -> None:
        self.where, self.near = where, Near()
        self.server = ServiceServer(["local://a"], [self.near], runtime)

    def channel(self) -> AsyncLocalChannel:
        """A channel on the running loop."""
        if self.where == "here":
            self.server.setup(asyncio.get_running_loop())
        return AsyncLocalChannel(self.server)


@pytest.fixture(params=["here", "elsewhere", "nowhere"])
def served(request: pytest.FixtureRequest, make_runtime: MakeRuntime) -> Iterator[Served]:
    served = Served(request.param, make_runtime())
    with running(served.server) if served.where == "elsewhere" else contextlib.nullcontext():
        yield served


async def happens(event: threading.Event) -> bool:
    """Waits for an event of a service, whatever loop that is on."""
    return await asyncio.to_thread(event.wait, helpers.PATIENCE)


@pytest.mark.parametrize("timeout", [AMPLE, math.inf, 1e300])
@awaited
async def test_call_within_the_process(timeout: float, served: Served) -> None:
    reply = await served.channel().exchange(payload(IFACE, "later"), timeout)
    assert helpers.answer_in([bytes(frame) for frame in reply])["result"] == "later"
    here = served.near.thread is threading.current_thread()
    assert here is (served.where != "elsewhere")


@awaited
async def test_many_calls_within_the_process(served: Served) -> None:
    channel = served.channel()
    stuck = begin(channel, *payload(IFACE, "stuck")[1:])
    calls = (channel.exchange(payload(IFACE, "later"), AMPLE) for _ in range(20))
    assert len(await asyncio.gather(*calls)) == 20
    assert not stuck.done()
    stuck.cancel()


@awaited
async def test_timeout_cancels_what_runs(served: Served) -> None:
    with pytest.raises(CallTimeout, match="No answer from this process within 50 ms"):
        await served.channel().exchange(payload(IFACE, "stuck"), 50)
    assert await happens(served.near.cancelled)


@awaited
async def test_cancelling_a_call_cancels_what_runs(served: Served) -> None:
    call = begin(served.channel(), *payload(IFACE, "stuck")[1:])
    assert await happens(served.near.started)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await happens(served.near.cancelled)


@awaited
async def test_cancelling_a_call_tells_a_sync_method(make_runtime: MakeRuntime) -> None:
    near = Near()
    with running(ServiceServer(["local://a"], [near], make_runtime(threads=1))) as server:
        call = begin(AsyncLocalChannel(server), *payload(IFACE, "work")[1:])
        assert await happens(near.started)
        call.cancel()
        assert await happens(near.cancelled)


@awaited
async def test_timeout_does_not_wait_for_what_cannot_be_cancelled(served: Served) -> None:
    call = begin(served.channel(), *payload(IFACE, "stubborn")[1:], timeout=50)
    assert await happens(served.near.started)
    with pytest.raises(CallTimeout):
        await call
    served.near.release.set()  # only now the method ends
    await comes_true(lambda: not served.server.in_flight)


@awaited
async def test_alive_while_its_server_is(make_runtime: MakeRuntime) -> None:
    server = ServiceServer(["local://a"], [Near()], make_runtime())
    channel = AsyncLocalChannel(server)
    assert channel.is_alive()
    channel.close()
    assert channel.is_alive(), "there is nothing to let go of"
    server.close()
    assert not channel.is_alive()
