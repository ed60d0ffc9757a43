"""Thousands of calls that are given up leave nothing behind, and harm no others."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import helpers
import pytest

import pycom
from pycom_core import Runtime
from pycom_core.testing import RealNetwork
from pycom_core.transport._pool import MAX_IDLE
from pycom_plugins.transport_zmq.async_channel import AsyncDealerChannel
from pycom_plugins.transport_zmtp.async_channel import AsyncSocketChannel

AMPLE = helpers.PATIENCE * 1000  # ms
#: Both sides watch the deadline; whichever notices first says so.
TIMED_OUT = (pycom.CallTimeout, pycom.DeadlineExceeded)
#: Turns of a loop within which a call is sent, and perhaps answered.
TURNS = 12


@pycom.interface("test.storms")
class Waiting(pycom.Service):
    def __init__(self) -> None:
        self.release = threading.Event()

    @pycom.method
    def echo(self, request: Any, value: Any) -> Any:
        return value

    @pycom.method
    async def echo_later(self, request: Any, value: Any) -> Any:
        await asyncio.sleep(0)
        return value

    @pycom.method
    async def hold(self, request: Any, value: Any) -> Any:
        while not self.release.is_set():
            await asyncio.sleep(0.01)
        return value


METHODS = ("echo", "echo_later", "hold")


@pytest.fixture(params=[0, 2], ids=["loop", "threads"])
def service(request: pytest.FixtureRequest) -> Iterator[Any]:
    with RealNetwork() as network:
        yield network.serve(Waiting(), threads=request.param)


def nothing_is_left(service: Any) -> None:
    """Release the waiting calls, and wait until no call is in flight."""
    [iface] = [one for one in service.server.interfaces.values() if one.name == "test.storms"]
    iface.instance.release.set()

    async def idle() -> None:
        while service.server.in_flight:
            await asyncio.sleep(0.01)

    asyncio.run_coroutine_threadsafe(idle(), service.server.loop).result(helpers.PATIENCE)


def test_thousands_of_cancelled_calls(service: Any, runtime: Runtime) -> None:
    chance = random.Random(1)
    outcomes = {"cancelled": 0, "answered": 0}

    async def give_up(component: Any, number: int) -> None:
        name = METHODS[number % len(METHODS)]
        call = asyncio.ensure_future(component.invoke(name, {"value": number}, timeout=AMPLE))
        for _ in range(chance.randrange(TURNS)):
            await asyncio.sleep(0)
        call.cancel()
        try:
            assert await call == number
            outcomes["answered"] += 1
        except asyncio.CancelledError:
            outcomes["cancelled"] += 1

    async def storm() -> None:
        async with pycom.AsyncContext(runtime=runtime) as context:
            component = await context.connect(service.address, "test.storms")
            for first in range(0, 2100, 300):
                await asyncio.gather(*(give_up(component, first + n) for n in range(300)))
            channel = context.pool.to(service.address)
            assert isinstance(channel, AsyncSocketChannel | AsyncDealerChannel)
            assert not channel._pending
            assert not channel._unsent
            nothing_is_left(service)
            assert await component.invoke("hold", {"value": "after all"}) == "after all"

    asyncio.run(storm())
    assert sum(outcomes.values()) == 2100
    assert outcomes["cancelled"] > 1000
    assert service.server.in_flight == 0


def test_thousands_of_calls_of_threads_that_time_out(service: Any, runtime: Runtime) -> None:
    context = pycom.Context(runtime=runtime)
    component = context.connect(service.address, "test.storms")

    def calls(first: int) -> int:
        chance, late = random.Random(first), 0
        for number in range(first, first + 50):
            name = chance.choice(METHODS)
            timeout = 1 if name == "hold" else chance.choice([1, 2, 5, AMPLE])
            try:
                assert component.invoke(name, {"value": number}, timeout=timeout) == number
            except TIMED_OUT:
                assert timeout < AMPLE
                late += 1
        return late

    with ThreadPoolExecutor(16) as threads:
        late = sum(threads.map(calls, range(0, 800, 50)))
    assert late > 100
    nothing_is_left(service)
    assert component.invoke("hold", {"value": "after all"}) == "after all"
    [idle] = context.pool._idle.values()
    assert 0 < len(idle) <= MAX_IDLE
    context.close()
