"""Calls that nobody waits for any more."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import helpers
import pytest
from awaited import awaited, comes_true
from in_process import MakeRuntime

from pycom_core import Request, ServiceServer, interface, method
from pycom_core.constants import DEADLINE_EXTENSION
from pycom_core.messages import Attachment, Delivery

IFACE = "com.foo.patient"


@interface(IFACE)
class Patient:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.goes_on = asyncio.Event()

    @method
    async def hold(self, request: Request) -> str:
        self.said.append("holds")
        try:
            await self.goes_on.wait()
        except asyncio.CancelledError:
            self.said.append(f"cancelled {request.cancelled.is_set()}")
            raise
        return "held"

    @method
    async def insist(self, request: Request) -> str:
        self.said.append("holds")
        try:
            await self.goes_on.wait()
        except asyncio.CancelledError:
            await self.goes_on.wait()
        self.said.append("did it all the same")
        return "held"

    @method
    async def fail(self, request: Request) -> None:
        self.said.append("holds")
        try:
            await self.goes_on.wait()
        finally:
            raise ValueError("while it was cancelled")

    @method
    async def shield(self, request: Request) -> str:
        self.said.append("holds")
        await asyncio.shield(self._finish())
        return "held"

    async def _finish(self) -> None:
        await self.goes_on.wait()
        self.said.append("finished")

    @method
    def work(self, request: Request) -> str:
        self.said.append("holds")
        if request.cancelled.wait(helpers.PATIENCE):
            self.said.append("gave up")
        return "done"


class Calls:
    """A server on the running loop, and what it answers."""

    def __init__(self, make_runtime: MakeRuntime, **settings: Any) -> None:
        self.patient = Patient()
        runtime = make_runtime(**settings)
        self.server = ServiceServer(["local://a"], [self.patient], runtime)
        self.server.setup(asyncio.get_running_loop())
        self.replies: list[list[Attachment]] = []

    def begin(self, name: str, extensions: dict[str, Any] | None = None) -> Delivery:
        call = {"interface": IFACE, "method": name, "extensions": extensions}
        body = json.dumps(call).encode()
        frames = [b"client", b"", b"CALL", body]
        delivery = Delivery(frames, time.monotonic(), self.replies.append)
        self.server.accept(delivery)
        return delivery

    async def holding(self, name: str) -> Delivery:
        """Begin a call, and wait until its method waits."""
        delivery = self.begin(name)
        await comes_true(lambda: self.patient.said == ["holds"])
        return delivery

    async def are_over(self) -> None:
        await comes_true(lambda: not self.server.in_flight)


def cancel_here(delivery: Delivery) -> None:
    delivery.cancel()


def cancel_elsewhere(delivery: Delivery) -> None:
    thread = threading.Thread(target=delivery.cancel)
    thread.start()
    thread.join()


anywhere = pytest.mark.parametrize("cancel", [cancel_here, cancel_elsewhere])


@anywhere
@awaited
async def test_async_method_is_cancelled_and_not_answered(
    cancel: Callable[[Delivery], None], make_runtime: MakeRuntime
) -> None:
    calls = Calls(make_runtime)
    cancel(await calls.holding("hold"))
    await calls.are_over()
    await comes_true(lambda: calls.patient.said == ["holds", "cancelled True"])
    assert calls.replies == []
    calls.server.close()


@awaited
async def test_method_that_swallows_it_is_logged_and_not_answered(
    make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "pycom")
    calls = Calls(make_runtime)
    (await calls.holding("insist")).cancel()
    await calls.are_over()
    calls.patient.goes_on.set()
    await comes_true(
        lambda: f"A cancelled call of {IFACE}.insist went on to its end" in caplog.text
    )
    assert calls.patient.said == ["holds", "did it all the same"]
    assert calls.replies == []
    calls.server.close()


@awaited
async def test_failure_of_a_cancelled_method_is_logged(
    make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    calls = Calls(make_runtime)
    (await calls.holding("fail")).cancel()
    await calls.are_over()
    await comes_true(lambda: "ValueError: while it was cancelled" in caplog.text)
    assert f"A cancelled call of {IFACE}.fail failed" in caplog.text
    calls.server.close()


@awaited
async def test_method_may_shield_its_work(make_runtime: MakeRuntime) -> None:
    calls = Calls(make_runtime)
    (await calls.holding("shield")).cancel()
    await calls.are_over()
    calls.patient.goes_on.set()
    await comes_true(lambda: calls.patient.said == ["holds", "finished"])
    calls.server.close()


@awaited
async def test_sync_method_in_a_worker_is_told(make_runtime: MakeRuntime) -> None:
    calls = Calls(make_runtime, threads=1)
    (await calls.holding("work")).cancel()
    await comes_true(lambda: calls.patient.said == ["holds", "gave up"])
    await calls.are_over()
    assert calls.replies == []
    calls.server.close()


@awaited
async def test_deadline_tells_a_sync_method_too(make_runtime: MakeRuntime) -> None:
    calls = Calls(make_runtime, threads=1)
    calls.begin("work", {DEADLINE_EXTENSION: 50})
    await comes_true(lambda: calls.patient.said == ["holds", "gave up"])
    await calls.are_over()
    assert len(calls.replies) == 1
    calls.server.close()


@awaited
async def test_what_is_answered_cannot_be_cancelled(make_runtime: MakeRuntime) -> None:
    calls = Calls(make_runtime)
    delivery = await calls.holding("hold")
    calls.patient.goes_on.set()
    await calls.are_over()
    delivery.cancel()
    assert len(calls.replies) == 1
    assert calls.patient.said == ["holds"]
    calls.server.close()


@awaited
async def test_request_that_nobody_takes_back(make_runtime: MakeRuntime) -> None:
    assert not Request(IFACE, "hold").cancelled.is_set()
