"""Event loops that stand in for a waiting one."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import helpers
import pytest
from in_process import MakeRuntime, answer, running

from pycom_core import CallTimeout, Context, Request, ServiceServer, interface, method
from pycom_core.loops import _nested as nested

IFACE = "com.foo.near"
ANY_PORT = "tcp://127.0.0.1:*"


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


# The loops themselves.


def test_result() -> None:
    assert nested.run(later(1), 30) == 1


@pytest.mark.parametrize("timeout", [0.01, None])
def test_exception(timeout: float | None) -> None:
    async def fail() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        nested.run(fail(), timeout)


def test_stands_in_for_the_loop_of_the_thread() -> None:
    seen: list[Any] = []

    async def inner(outer: asyncio.AbstractEventLoop) -> None:
        seen.append(asyncio.get_running_loop() is not outer)
        seen.append(nested.stands_in())
        seen.append(nested.runs_elsewhere(outer))

    async def waits() -> None:
        loop = asyncio.get_running_loop()
        assert not nested.stands_in()
        assert not nested.runs_elsewhere(loop)
        nested.run(inner(loop), 30)
        assert asyncio.get_running_loop() is loop
        assert not nested.stands_in()
        assert await later(1) == 1

    asyncio.run(waits())
    assert seen == [True, True, False]


def test_loop_of_another_thread_runs_elsewhere() -> None:
    loop = asyncio.new_event_loop()
    assert not nested.runs_elsewhere(loop), "it does not run"
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(later(1), loop).result(helpers.PATIENCE)
    assert nested.runs_elsewhere(loop)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_timeout_is_kept_by_what_does_not_heed_its_cancellation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nested, "PATIENCE", 0.02)
    ended = threading.Event()

    async def stubborn() -> None:
        try:
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    continue
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        nested.run(stubborn(), 0.02)
    gc.collect()
    assert ended.is_set(), "it was closed with its loop"


def test_what_is_left_running_is_cancelled_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            seen.append("cancelled")
            raise

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            seen.append("closed")

    async def begin() -> Any:
        task = asyncio.create_task(forever(), name="audit")
        iterator = numbers()
        await iterator.__anext__()
        return task, iterator

    nested.run(begin(), 30)
    assert seen == ["cancelled", "closed"]
    assert "audit" in caplog.text
    assert "--threads" in caplog.text


def test_loop_ends_with_an_exit_in_a_task_only_where_it_is_awaited() -> None:
    async def leave() -> None:
        raise SystemExit(3)

    async def waits() -> str:
        try:
            await asyncio.create_task(leave())
        except SystemExit as error:
            return f"left with {error.code}"
        return "stayed"

    assert nested.run(waits(), 30) == "left with 3"


# What methods do on them.


@interface(IFACE)
class Near:
    """Calls itself and others, in every way."""

    def __init__(self) -> None:
        self.began = threading.Semaphore(0)
        self.release = threading.Event()
        self.loops: list[asyncio.AbstractEventLoop] = []

    @method
    async def hold(self, request: Request) -> str:
        self.began.release()
        while not self.release.is_set():
            await asyncio.sleep(0.001)
        return "released"

    @method
    async def echo(self, request: Request, value: Any) -> Any:
        self.loops.append(asyncio.get_running_loop())
        return await later(value)

    @method("async")
    async def async_(self, request: Request, address: str, name: str, args: Any = None) -> Any:
        async with request.async_context().connect(address, IFACE) as component:
            return await component.invoke(name, args)

    @method
    def sync(self, request: Request, address: str, name: str, args: Any = None) -> Any:
        with request.context().connect(address, IFACE) as component:
            return component.invoke(name, args)

    @method
    def introspect(self, request: Request) -> Any:
        return {"methods": {}}


def through(address: str, *ways: str) -> tuple[str, Any]:
    """The method to call, and its arguments, for a chain of calls that ends with `echo`."""
    name, args = "echo", {"value": list(ways)}
    for way in reversed(ways):
        name, args = way, {"address": address, "name": name, "args": args}  # type: ignore[dict-item]
    return name, args


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_methods_of_one_process_call_each_other(threads: int, make_runtime: MakeRuntime) -> None:
    with running(ServiceServer(["local://a"], [Near()], make_runtime(threads=threads))) as server:
        assert server.loop is not None
        for ways in [
            ("sync",),
            ("async",),
            ("sync", "async"),
            ("async", "sync"),
            ("sync", "async", "async"),
            ("sync", "async", "sync"),
            ("async", "sync", "async"),
            ("sync", "async", "sync", "async", "sync"),
        ]:
            coroutine = answer(server, IFACE, *through("local://a", *ways))
            result = asyncio.run_coroutine_threadsafe(coroutine, server.loop)
            assert result.result(helpers.PATIENCE) == {"code": 0, "result": list(ways)}
        assert server.in_flight == 0


@pytest.mark.parametrize("threads", [0, 1])
def test_calls_in_flight_survive_a_sync_method_that_calls_an_async_one(
    threads: int, make_runtime: MakeRuntime
) -> None:
    far, near, count = Near(), Near(), 5
    with (
        running(ServiceServer([ANY_PORT], [far], make_runtime(transport=None))) as far_server,
        running(
            ServiceServer([ANY_PORT], [near], make_runtime(transport=None, threads=threads))
        ) as server,
    ):
        assert server.loop is not None
        there, here = far_server.addresses[0], server.addresses[0]

        def begin(name: str, args: Any) -> Any:
            coroutine = answer(server, IFACE, name, args)
            return asyncio.run_coroutine_threadsafe(coroutine, server.loop)  # type: ignore[arg-type]

        waiting = [begin("async", {"address": there, "name": "hold"}) for _ in range(count)]
        for _ in range(count):
            assert far.began.acquire(timeout=helpers.PATIENCE)
        to_far = {"address": there, "name": "echo", "args": {"value": 1}}
        for _ in range(3):
            between = begin("sync", {"address": here, "name": "async", "args": to_far})
            assert between.result(helpers.PATIENCE) == {"code": 0, "result": 1}
        far.release.set()
        for call in waiting:
            assert call.result(helpers.PATIENCE) == {"code": 0, "result": "released"}
        assert begin("async", to_far).result(helpers.PATIENCE) == {"code": 0, "result": 1}
        assert server.in_flight == 0


def test_nested_calls_leave_no_descriptors(make_runtime: MakeRuntime) -> None:
    far, near = Near(), Near()
    with (
        running(ServiceServer([ANY_PORT], [far], make_runtime(transport=None))) as far_server,
        running(ServiceServer([ANY_PORT], [near], make_runtime(transport=None))) as server,
    ):
        there, here = far_server.addresses[0], server.addresses[0]
        to_far = {"address": there, "name": "echo", "args": {"value": 1}}
        args = {"address": here, "name": "async", "args": to_far}

        def call() -> None:
            assert server.loop is not None
            coroutine = answer(server, IFACE, "sync", args)
            result = asyncio.run_coroutine_threadsafe(coroutine, server.loop)
            assert result.result(helpers.PATIENCE) == {"code": 0, "result": 1}

        def descriptors() -> int:
            gc.collect()
            return len(os.listdir("/proc/self/fd"))

        call()
        before = descriptors()
        for _ in range(10):
            call()
        # 0MQ's own thread closes the descriptors of a closed socket.
        helpers.eventually(lambda: _at_most(before, descriptors), AssertionError)


def _at_most(bound: int, count: Callable[[], int]) -> None:
    assert count() <= bound


def test_nested_call_that_is_too_late(make_runtime: MakeRuntime) -> None:
    near = Near()
    server = ServiceServer(["local://a"], [near], make_runtime())
    context = Context(runtime=server.runtime)
    component = context.connect("local://a", IFACE)
    with pytest.raises(CallTimeout):
        component.invoke_with_request(
            Request(IFACE, "hold", extensions={"org.pycom.deadline": 60_000}), timeout=30
        )
    assert server.in_flight == 0
    near.release.set()
    assert component.invoke("hold") == "released"
    context.close()
    server.close()
