"""Calls that are given up over connections of this transport: their methods hear of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import helpers
import pytest
from awaited import awaited, comes_true
from helpers import until
from in_process import MakeRuntime, running

import pycom
from pycom_core import (
    AsyncContext,
    CallTimeout,
    Context,
    DeadlineExceeded,
    Request,
    Runtime,
    ServiceServer,
    interface,
    method,
)

IFACE = "com.foo.given_up"


@interface(IFACE)
class Stage(pycom.Service):
    def __init__(self) -> None:
        self.said: list[str] = []
        self.address = ""

    @method
    async def hold(self, request: Request) -> None:
        self.said.append("holds")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.said.append("cancelled")
            raise

    @method
    async def pass_on(self, request: Request) -> Any:
        component = await request.async_context().connect(self.address, IFACE)
        return await component.invoke("hold")

    @method
    def work(self, request: Request) -> None:
        self.said.append("holds")
        if request.cancelled.wait(helpers.PATIENCE):
            self.said.append("told")

    @method
    def note(self, request: Request, text: str) -> None:
        self.said.append(text)

    def holds(self, count: int = 1) -> bool:
        return self.said == ["holds"] * count

    def is_over(self, count: int = 1) -> bool:
        return self.said == ["holds"] * count + ["cancelled"] * count


OURS = ("zmtp", "zmq")


@pytest.fixture(params=[0, 1], ids=["on the loop", "in workers"])
def stage(request: pytest.FixtureRequest, make_runtime: MakeRuntime) -> Iterator[Stage]:
    stage = Stage()
    runtime = make_runtime(transport=OURS, threads=request.param)
    with running(ServiceServer(["tcp://127.0.0.1:*"], [stage], runtime)) as server:
        stage.address = server.addresses[0]
        yield stage


@pytest.fixture
def runtime(make_runtime: MakeRuntime) -> Runtime:
    return make_runtime(transport=OURS)


@awaited
async def test_cancelled_task(stage: Stage, runtime: Runtime) -> None:
    async with AsyncContext(runtime=runtime) as context:
        component = await context.connect(stage.address, IFACE)
        call = asyncio.ensure_future(component.invoke("hold"))
        await comes_true(stage.holds)
        call.cancel()
        await comes_true(stage.is_over)
        await component.invoke("note", {"text": "goes on"})
    assert stage.said[-1] == "goes on"


@awaited
async def test_one_of_many_is_cancelled(stage: Stage, runtime: Runtime) -> None:
    async with AsyncContext(runtime=runtime) as context:
        component = await context.connect(stage.address, IFACE)
        calls = [asyncio.ensure_future(component.invoke("hold")) for _ in range(3)]
        await comes_true(lambda: stage.holds(3))
        calls[1].cancel()
        await comes_true(lambda: stage.said == ["holds"] * 3 + ["cancelled"])
        assert [call.done() for call in calls] == [False, True, False]
        for call in calls:
            call.cancel()
        await comes_true(lambda: stage.is_over(3))


@awaited
async def test_timeout_of_asyncio(stage: Stage, runtime: Runtime) -> None:
    async with AsyncContext(runtime=runtime) as context:
        component = await context.connect(stage.address, IFACE)
        # The deadline travels: the service may say first that it has passed.
        with pytest.raises((CallTimeout, DeadlineExceeded)):
            await component.invoke("work", timeout=200)
        await comes_true(lambda: stage.said == ["holds", "told"])


@pytest.mark.parametrize(("name", "end"), [("hold", "cancelled"), ("work", "told")])
def test_timeout_of_a_blocking_call(name: str, end: str, stage: Stage, runtime: Runtime) -> None:
    with pytest.raises((CallTimeout, DeadlineExceeded)):
        Context(runtime=runtime).connect(stage.address, IFACE).invoke(name, timeout=200)
    until(lambda: stage.said == ["holds", end])


def test_peer_of_libzmq_that_goes(stage: Stage) -> None:
    with helpers.Dealer(stage.address) as dealer:
        dealer.begin(IFACE, "hold")
        until(stage.holds)
        dealer.socket.close(linger=0)
        until(stage.is_over)


@awaited
async def test_calls_on_behalf_of_one_that_is_cancelled(stage: Stage, runtime: Runtime) -> None:
    async with AsyncContext(runtime=runtime) as context:
        component = await context.connect(stage.address, IFACE)
        call = asyncio.ensure_future(component.invoke("pass_on"))
        await comes_true(stage.holds)
        call.cancel()
        await comes_true(stage.is_over)


@awaited
async def test_request_that_waits_is_not_run(stage: Stage, runtime: Runtime) -> None:
    async with AsyncContext(runtime=runtime) as context:
        component = await context.connect(stage.address, IFACE)
        holding = asyncio.ensure_future(component.invoke("work"))
        await comes_true(stage.holds)
        waiting = asyncio.ensure_future(component.invoke("note", {"text": "never"}))
        (channel,) = context.pool._here().values()
        await comes_true(lambda: not channel._unsent)  # type: ignore[attr-defined]
        waiting.cancel()
        await asyncio.sleep(0)
        holding.cancel()
        await comes_true(lambda: stage.said == ["holds", "told"])
        await component.invoke("note", {"text": "goes on"})
    assert stage.said == ["holds", "told", "goes on"]
