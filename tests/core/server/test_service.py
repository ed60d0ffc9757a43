"""The place where methods run: the loop of the service, or its workers."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import json
import queue
import threading
import warnings
from collections.abc import Callable, Generator
from types import SimpleNamespace
from typing import Any

import helpers
import pytest
from awaited import comes_true
from in_process import MakeRuntime, answer, payload, running

import pycom
from pycom_core import (
    Future,
    Interface,
    Method,
    Request,
    ServiceNotAvailable,
    ServiceServer,
    hookimpl,
    interface,
    method,
)
from pycom_core.constants import DEADLINE_EXTENSION

IFACE = "com.foo.late"


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    """An ordinary decorator, which hides that a function is `async def`."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


class OwnCall(Method):
    def call(self, iface: Interface, request: Request) -> Any:
        return super().call(iface, request)


class Awaitable:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, None, Any]:
        yield from asyncio.sleep(0).__await__()
        return self.value


@interface(IFACE)
class Late:
    """Methods whose result comes later, in all ways."""

    def __init__(self) -> None:
        self.loops: set[asyncio.AbstractEventLoop] = set()

    async def helper(self, value: Any) -> Any:
        await asyncio.sleep(0)
        self.loops.add(asyncio.get_running_loop())
        return value

    @method
    @decorated
    async def decorated(self, request: Request, value: Any) -> Any:
        return await self.helper(value)

    @method
    def helped(self, request: Request, value: Any) -> Any:
        return self.helper(value)

    @method
    def awaitable(self, request: Request, value: Any) -> Any:
        return Awaitable(value)

    @method
    def promised(self, request: Request, value: Any) -> Future:
        future = Future(request)
        threading.Thread(target=future.response, args=[value]).start()
        return future

    @method
    def kept(self, request: Request, value: Any) -> Future:
        """Completed before it is returned."""
        future = Future(request)
        future.response(value)
        return future

    @method
    async def promised_later(self, request: Request, value: Any) -> Future:
        return self.promised(request, value)

    @method
    def helped_twice(self, request: Request, value: Any) -> Any:
        return self.helper(self.helper(value))

    @method(results=("value", "blob"), attachments=(None, "blob"))
    def named(self, request: Request, value: Any) -> Any:
        return self.helper((value, b""))

    @method(method_factory=OwnCall)
    def own_promised(self, request: Request, value: Any) -> Future:
        return self.promised(request, value)

    @method(method_factory=OwnCall)
    def own_helped(self, request: Request, value: Any) -> Any:
        return self.helper(value)

    @method(method_factory=OwnCall)
    async def own_promised_later(self, request: Request, value: Any) -> Future:
        return self.promised(request, value)


WAYS = [name for name in Late.__interface__.methods if name != "named"]


@pytest.mark.parametrize("threads", [0, 1, 3, "auto"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_whatever_a_method_returns_to_be_waited_for(
    threads: Any, wrapped: bool, make_runtime: MakeRuntime
) -> None:
    seen: list[Any] = []

    @hookimpl(wrapper=True)
    def pycom_invoke() -> Generator[None, Any, Any]:
        result = yield
        seen.append(getattr(result, "result", result))
        return result

    plugins = {"mine": SimpleNamespace(pycom_invoke=pycom_invoke)} if wrapped else {}
    late = Late()
    with running(
        ServiceServer(["local://a"], [late], make_runtime(plugins, threads=threads))
    ) as server:
        assert server.loop is not None

        def call(name: str) -> Any:
            coroutine = answer(server, IFACE, name, {"value": name})
            return asyncio.run_coroutine_threadsafe(coroutine, server.loop).result(helpers.PATIENCE)

        for name in WAYS:
            assert call(name) == {"code": 0, "result": name}
        assert call("named")["result"] == {"value": "named"}
        assert server.in_flight == 0
    assert late.loops == {server.loop}, "coroutines run on the loop of the service"
    assert seen[: len(WAYS)] == (WAYS if wrapped else [])


@pytest.mark.parametrize("threads", [0, 1, "auto"])
def test_what_comes_too_late_is_cancelled_and_nobody_complains(
    threads: Any, make_runtime: MakeRuntime
) -> None:
    seen: list[str] = []

    @interface(IFACE)
    class Slow:
        async def wait(self) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        @method
        def helped(self, request: Request) -> Any:
            return self.wait()

        @method
        def promised(self, request: Request) -> Future:
            return Future(request)

    with running(ServiceServer(["local://a"], [Slow()], make_runtime(threads=threads))) as server:
        assert server.loop is not None
        for name in ("helped", "promised"):
            coroutine = answer(server, IFACE, name, extensions={DEADLINE_EXTENSION: 30})
            late = asyncio.run_coroutine_threadsafe(coroutine, server.loop)
            assert late.result(helpers.PATIENCE)["code"] == 7
        assert server.in_flight == 0
    assert seen == ["cancelled"]


def test_coroutine_that_a_worker_returns_too_late_is_let_go(make_runtime: MakeRuntime) -> None:
    release = threading.Event()

    @interface(IFACE)
    class Slow:
        async def helper(self) -> None:
            raise AssertionError("it is run")

        @method
        def helped(self, request: Request) -> Any:
            release.wait(helpers.PATIENCE)
            return self.helper()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with running(ServiceServer(["local://a"], [Slow()], make_runtime(threads=1))) as server:
            assert server.loop is not None
            coroutine = answer(server, IFACE, "helped", extensions={DEADLINE_EXTENSION: 30})
            late = asyncio.run_coroutine_threadsafe(coroutine, server.loop)
            assert late.result(helpers.PATIENCE)["code"] == 7
            release.set()
            server.join()  # what the worker returned is on its way to the loop
            turn = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), server.loop)
            turn.result(helpers.PATIENCE)
        gc.collect()
    assert [
        str(warning.message) for warning in caught if "never awaited" in str(warning.message)
    ] == []


def test_call_that_waits_for_a_worker_when_its_server_is_closed(make_runtime: MakeRuntime) -> None:
    began, release = threading.Event(), threading.Event()

    @interface(IFACE)
    class Slow:
        @method
        def hold(self, request: Request) -> str:
            began.set()
            release.wait(helpers.PATIENCE)
            return "held"

    server = ServiceServer(["local://a"], [Slow()], make_runtime(threads=1))

    async def run() -> list[bytes]:
        frames = [b"client", b"", *payload(IFACE, "hold")]
        held = asyncio.create_task(server.answer(frames))
        await asyncio.to_thread(began.wait, helpers.PATIENCE)
        queued = asyncio.create_task(server.answer(frames))
        workers: Any = server._workers
        await comes_true(lambda: not workers._pool._work_queue.empty())
        server.close()
        ended, _ = await asyncio.wait([queued], timeout=helpers.PATIENCE / 2)
        release.set()
        assert (await held)[2] == b"OK"
        assert ended
        return await queued

    assert asyncio.run(run())[2] == b"FAIL"
    assert server.in_flight == 0


@pytest.mark.parametrize("threads", [0, 1, "auto"])
def test_what_hooks_have_set_is_there_for_what_is_awaited(
    threads: Any, make_runtime: MakeRuntime
) -> None:
    trace: contextvars.ContextVar[str] = contextvars.ContextVar("trace")

    @hookimpl
    def pycom_prehook(data: Request) -> None:
        trace.set(data.args["value"])

    @interface(IFACE)
    class Traced:
        async def helper(self) -> list[str]:
            await asyncio.sleep(0)
            return [trace.get()]

        @method
        def helped(self, request: Request, value: str) -> Any:
            assert trace.get() == value
            return self.helper()

    plugins = {"mine": SimpleNamespace(pycom_prehook=pycom_prehook)}
    server = ServiceServer(["local://a"], [Traced()], make_runtime(plugins, threads=threads))
    with running(server):
        assert server.loop is not None
        calls = [
            asyncio.run_coroutine_threadsafe(
                answer(server, IFACE, "helped", {"value": value}), server.loop
            )
            for value in "abc"
        ]
        results = [call.result(helpers.PATIENCE)["result"] for call in calls]
    assert results == [["a"], ["b"], ["c"]]


# Commands that do all steps of a call.


@interface("com.foo.inside")
class Inside(pycom.Service):
    @method
    def outer(self, request: Request) -> Any:
        with request.context().connect(request.server.addresses[0], "com.foo.inside") as component:
            return component.invoke("inner", timeout=helpers.PATIENCE * 1000)

    @method
    def inner(self, request: Request) -> str:
        return "in"

    @method
    async def later(self, request: Request) -> str:
        await asyncio.sleep(0)
        return "later"


def overriding(call: Any) -> Any:
    class Mine(type(call)):  # type: ignore[misc]
        def process_request(self, json_body: Any, *other_parts: Any) -> Any:
            return super().process_request(json_body, *other_parts)

    return Mine


def deriving(call: Any) -> Any:
    class Own(Request):
        pass

    class Mine(type(call)):  # type: ignore[misc]
        def request_from_dict(self, data: dict[str, Any]) -> Request:
            found = super().request_from_dict(data)
            return Own(found.interface, found.method, found.session_id, found.args)

    return Mine


@pytest.mark.parametrize("variant", [overriding, deriving])
def test_call_of_its_own_process_under_a_command_that_is_a_plugins(
    variant: Callable[[Any], Any], make_runtime: MakeRuntime
) -> None:
    server = ServiceServer(["local://a"], [Inside], make_runtime(threads=1))
    server.commands[b"CALL"] = variant(server.commands[b"CALL"])(server)
    with running(server):
        waiting = answer(server, "com.foo.inside", "outer")
        assert server.loop is not None
        answered = asyncio.run_coroutine_threadsafe(waiting, server.loop)
        assert answered.result(helpers.PATIENCE) == {"code": 0, "result": "in"}


BODY = b'{"interface": "com.foo.inside", "method": "later", "args": {}}'


def test_answer_by_hand_where_no_loop_runs(make_runtime: MakeRuntime) -> None:
    server = ServiceServer(["local://a"], [Inside], make_runtime())
    [body] = server.commands[b"CALL"].process_request(BODY)
    assert json.loads(body) == {"code": 0, "result": "later"}


def test_answer_by_hand_while_the_loop_runs_in_another_thread(make_runtime: MakeRuntime) -> None:
    with running(ServiceServer(["local://a"], [Inside], make_runtime())) as server:
        promised = server.commands[b"CALL"].process_request(BODY)
        came: queue.SimpleQueue[Any] = queue.SimpleQueue()
        promised.add_done_callback(came.put)
        [body] = came.get(timeout=helpers.PATIENCE)
    assert json.loads(body) == {"code": 0, "result": "later"}


def test_answer_by_hand_in_another_thread_than_the_loop(make_runtime: MakeRuntime) -> None:
    with running(ServiceServer(["local://a"], [Inside], make_runtime())) as server:
        [body] = server.commands[b"CALL"].process_request(BODY.replace(b"later", b"inner"))
        request = Request("com.foo.inside", "inner")
        response = server.commands[b"CALL"].real_process_request(request)
    assert json.loads(body) == {"code": 0, "result": "in"}
    assert response.result == "in"


def test_answer_by_hand_while_the_loop_ends(make_runtime: MakeRuntime) -> None:
    server = ServiceServer(["local://a"], [Inside], make_runtime())
    with running(server):
        real, ending = server.loop, Ending()
        server.loop = ending  # type: ignore[assignment]
        with pytest.raises(ServiceNotAvailable, match="is ending"):
            server.commands[b"CALL"].process_request(BODY)
        server.loop = real


class Ending:
    """A loop that takes what is given to it, and then ends."""

    _ends = False

    def is_running(self) -> bool:
        return not self._ends

    def call_soon_threadsafe(self, *_: Any) -> None:
        self._ends = True
