"""Exceptions of every kind in methods and hooks: callers get answers, the service goes on."""

from __future__ import annotations

import argparse
import asyncio
import builtins
import concurrent.futures
import contextlib
import json
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Iterator
from types import SimpleNamespace
from typing import Any

import helpers
import pytest
from awaited import comes_true
from in_process import MakeRuntime, payload, running

from pycom_core import (
    BaseCommand,
    Future,
    Method,
    RemoteError,
    Request,
    Response,
    ServiceServer,
    hookimpl,
    interface,
    method,
)
from pycom_core.loops._eventloop import run_forever
from pycom_core.messages import Delivery

IFACE = "com.foo.raising"
FAILED = {"code": 1, "error": "Unknown error during request"}
DENIED = {"code": 5, "error": "Access denied"}
UNAUTHENTICATED = {"code": 5, "error": "Authentication failed"}


class Timeout(BaseException):
    """A timeout like gevent's, which is no `Exception`, so that nobody catches it by accident."""


def usage() -> None:
    argparse.ArgumentParser(prog="tool").parse_args(["--unknown"])


def cancelled_elsewhere() -> None:
    future: concurrent.futures.Future[None] = concurrent.futures.Future()
    future.cancel()
    future.result()


KINDS: dict[str, Callable[[], BaseException]] = {
    "SystemExit": lambda: SystemExit(2),
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "StopIteration": lambda: StopIteration("a result"),
    "StopAsyncIteration": StopAsyncIteration,
    "CancelledError": asyncio.CancelledError,
    "Timeout": Timeout,
    "MemoryError": MemoryError,
}
if sys.version_info >= (3, 11):
    KINDS["group"] = lambda: builtins.BaseExceptionGroup("two", [Timeout(), SystemExit()])


def fail(kind: str) -> None:
    if kind == "argparse":
        usage()
    elif kind == "cancelled elsewhere":
        cancelled_elsewhere()
    raise KINDS[kind]()


EVERY_KIND = [*KINDS, "argparse", "cancelled elsewhere"]


def passing(function: Callable[..., Any]) -> Callable[..., Any]:
    """An ordinary decorator."""

    def decorated(self: Any, request: Request, kind: str) -> Any:
        return function(self, request, kind)

    return decorated


@interface(IFACE)
class Raising:
    @method
    def fine(self, request: Request) -> str:
        return "fine"

    @method
    def sync(self, request: Request, kind: str) -> None:
        fail(kind)

    @method
    async def at_once(self, request: Request, kind: str) -> None:
        fail(kind)

    @method
    async def later(self, request: Request, kind: str) -> None:
        await asyncio.sleep(0)
        fail(kind)

    @method
    @passing
    async def decorated(self, request: Request, kind: str) -> None:
        await asyncio.sleep(0)
        fail(kind)

    @method
    async def in_a_task(self, request: Request, kind: str) -> None:
        await asyncio.gather(self.later(request, kind))

    @method
    def promised(self, request: Request, kind: str) -> Future:
        future = Future(request)

        def work() -> None:
            try:
                fail(kind)
            except BaseException:
                future.exception()

        threading.Thread(target=work).start()
        return future

    @method
    def through_another(self, request: Request, name: str, kind: str) -> Any:
        with request.context().connect("local://a", IFACE) as component:
            return component.invoke(name, {"kind": kind})

    @method
    async def through_another_async(self, request: Request, name: str, kind: str) -> Any:
        async with request.async_context().connect("local://a", IFACE) as component:
            return await component.invoke(name, {"kind": kind})

    @method
    def echo(self, request: Request, kind: str) -> str:
        return kind

    @method
    def introspect(self, request: Request) -> Any:
        return {"methods": {}}


class Served:
    """A server that answers in a thread, and is asked from here."""

    def __init__(self, server: ServiceServer, iface: str = IFACE) -> None:
        self.server, self.iface = server, iface

    def call(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        return helpers.answer_in(self.ask(*payload(self.iface, name, arguments)))

    def ask(self, *frames: bytes) -> list[bytes]:
        reply = self.wait_for(self.server.answer([b"client", b"", *frames]))
        assert reply[:2] == [b"client", b""]
        return list(reply[2:])

    def bring(self, *frames: bytes) -> concurrent.futures.Future[list[bytes]]:
        """Have a message come as a transport brings it."""
        reply: concurrent.futures.Future[Any] = concurrent.futures.Future()
        delivery = Delivery([b"client", b"", *frames], time.monotonic(), reply.set_result)
        assert self.server.loop is not None
        self.server.loop.call_soon_threadsafe(self.server.accept, delivery)
        return reply

    def wait_for(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        assert self.server.loop is not None
        future = asyncio.run_coroutine_threadsafe(coroutine, self.server.loop)
        return future.result(helpers.PATIENCE)

    def is_fine(self) -> None:
        """Check that it answers, and that nothing is in flight."""
        assert self.call("fine") == {"code": 0, "result": "fine"}
        assert self.server.in_flight == 0


@pytest.fixture
def serve(make_runtime: MakeRuntime) -> Iterator[Callable[..., Served]]:
    """Serves `Raising`, with the hooks of a plugin."""
    ends: list[Any] = []

    def serve(hooks: dict[str, Any] | None = None, **settings: Any) -> Served:
        plugin = SimpleNamespace(**(hooks or {}))
        server = ServiceServer(
            ["local://a"], [Raising()], make_runtime({"mine": plugin}, **settings)
        )
        manager = running(server)
        manager.__enter__()
        ends.append(manager)
        return Served(server)

    yield serve
    for manager in ends:
        manager.__exit__(None, None, None)


Serve = Callable[..., Served]


def leads_there(traceback: str, name: str) -> bool:
    """Tell whether a traceback leads to the place where the exception was raised."""
    # With Python 3.10 `gather` raises another CancelledError, which has not been there.
    return "in fail" in traceback or (name == "in_a_task" and "in in_a_task" in traceback)


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("name", ["sync", "at_once", "later", "decorated", "in_a_task", "promised"])
def test_method_that_raises(
    name: str, threads: int, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    served = serve(threads=threads)
    for kind in EVERY_KIND:
        caplog.clear()
        assert served.call(name, kind=kind) == FAILED, kind
        assert f"{IFACE}.{name} failed" in caplog.text, kind
        assert leads_there(caplog.text, name), kind
        served.is_fine()


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("name", ["sync", "later", "in_a_task"])
@pytest.mark.parametrize("through", ["through_another", "through_another_async"])
def test_method_that_raises_in_a_call_of_the_same_process(
    through: str, name: str, threads: int, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    served = serve(threads=threads)
    for kind in EVERY_KIND:
        caplog.clear()
        assert served.call(through, name=name, kind=kind) == FAILED, kind
        assert f"{IFACE}.{name} failed" in caplog.text, kind
        assert leads_there(caplog.text, name), kind
        served.is_fine()


def fail_for(request: Request) -> None:
    """Fail as the caller asks a hook to."""
    if request.method == "echo":
        fail(request.args["kind"])


@hookimpl
def prehook(data: Request) -> None:
    fail_for(data)


@hookimpl
def posthook(data: Response) -> None:
    assert data.request is not None
    fail_for(data.request)


@hookimpl
def fails(request: Request) -> None:
    fail_for(request)


@hookimpl
async def fails_later(request: Request) -> None:
    await asyncio.sleep(0)
    fail_for(request)


@hookimpl(wrapper=True)
def before(request: Request) -> Generator[None, Any, Any]:
    fail_for(request)
    return (yield)


@hookimpl(wrapper=True)
def after(request: Request) -> Generator[None, Any, Any]:
    result = yield
    fail_for(request)
    return result


@pytest.mark.parametrize(
    ("name", "hook", "answer"),
    [
        ("pycom_authenticate", fails, UNAUTHENTICATED),
        ("pycom_authenticate", fails_later, UNAUTHENTICATED),
        ("pycom_authorize", fails, DENIED),
        ("pycom_prehook", prehook, FAILED),
        ("pycom_invoke", before, FAILED),
        ("pycom_invoke", after, FAILED),
        ("pycom_posthook", posthook, FAILED),
    ],
    ids=lambda value: getattr(value, "__name__", value) if callable(value) else None,
)
def test_hook_that_raises(
    name: str, hook: Any, answer: Any, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    served = serve({name: hook})
    for kind in EVERY_KIND:
        caplog.clear()
        assert served.call("echo", kind=kind) == answer, kind
        assert "'mine'" in caplog.text, "the plugin is named"
        assert "in fail" in caplog.text, kind
        served.is_fine()


def test_hook_at_the_end_that_raises(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    served = serve({"pycom_end": fails})
    for kind in EVERY_KIND:
        caplog.clear()
        assert served.call("echo", kind=kind) == {"code": 0, "result": kind}
        assert "'mine'" in caplog.text, "the plugin is named"
        assert "in fail" in caplog.text, kind
        served.is_fine()


@pytest.mark.parametrize("which", ["prehooks", "posthooks"])
def test_hook_of_a_method_that_raises(
    which: str, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    served = serve()
    hooks = getattr(Raising.echo.__method__, which)
    hooks.append(lambda iface, method, data: fail_for(getattr(data, "request", data)))
    try:
        for kind in EVERY_KIND:
            caplog.clear()
            assert served.call("echo", kind=kind) == FAILED, kind
            assert "in fail" in caplog.text, kind
            served.is_fine()
    finally:
        hooks.clear()


@pytest.mark.parametrize("name", ["sync", "later"])
@pytest.mark.parametrize("threads", [0, 2])
def test_wrappers_see_what_a_method_raises_and_may_mend_it(
    name: str, threads: int, serve: Serve
) -> None:
    seen: list[BaseException] = []

    @hookimpl(wrapper=True)
    def pycom_invoke(request: Request) -> Generator[None, Any, Any]:
        try:
            return (yield)
        except BaseException as error:
            seen.append(error)
            return "mended"

    served = serve({"pycom_invoke": pycom_invoke}, threads=threads)
    for kind in KINDS:
        assert served.call(name, kind=kind) == {"code": 0, "result": "mended"}, kind
        error = seen.pop()
        # What cannot pass through a generator comes as the cause of another.
        assert type(KINDS[kind]()) in (type(error), type(error.__cause__))


def test_wrapper_that_lets_pass_what_a_method_raises_is_not_blamed(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    @hookimpl(wrapper=True)
    def pycom_invoke() -> Generator[None, Any, Any]:
        return (yield)

    served = serve({"pycom_invoke": pycom_invoke})
    for kind in EVERY_KIND:
        assert served.call("sync", kind=kind) == FAILED, kind
    assert "in fail" in caplog.text
    assert "'mine'" not in caplog.text


class Broken(BaseCommand):
    """A command that fails where and as its body says."""

    def request_from_dict(self, data: dict[str, Any]) -> Any:
        if data["where"] == "body":
            fail(data["kind"])
        return data

    def real_process_request(self, request: Any, *other_parts: Any) -> Any:
        if request["where"] == "sync":
            fail(request["kind"])
        return self.later(request["kind"])

    async def later(self, kind: str) -> None:
        await asyncio.sleep(0)
        fail(kind)


@pytest.mark.parametrize("where", ["body", "sync", "async"])
def test_command_that_raises(where: str, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    served = serve()
    served.server.commands[b"BROKEN"] = Broken(served.server)
    for kind in EVERY_KIND:
        caplog.clear()
        reply = served.ask(b"BROKEN", json.dumps({"where": where, "kind": kind}).encode())
        assert reply == [b"FAIL", b'{"code":1,"error":"The server failed to answer"}'], kind
        assert "A command broke" in caplog.text, kind
        assert "in fail" in caplog.text, kind
        served.is_fine()


class OwnCall(Method):
    """Runs the hooks of the method itself, as every `call` that is overridden."""

    def call(self, iface: Any, request: Request) -> Any:
        return super().call(iface, request)


@interface("com.foo.promising")
class Promising:
    @method
    def fine(self, request: Request) -> str:
        return "fine"

    @method(method_factory=OwnCall)
    def promised(self, request: Request, kind: str) -> Future:
        future = Future(request)
        threading.Thread(target=future.response, args=[1]).start()
        return future


@pytest.mark.parametrize("threads", [0, 2])
def test_method_with_a_call_of_its_own_and_a_hook_that_raises(
    threads: int, make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    hooks = Promising.promised.__method__.posthooks
    hooks.append(lambda iface, method, data: fail(data.request.args["kind"]))
    server = ServiceServer(["local://a"], [Promising()], make_runtime(threads=threads))
    try:
        with running(server):
            served = Served(server, "com.foo.promising")
            for kind in EVERY_KIND:
                caplog.clear()
                assert served.call("promised", kind=kind) == FAILED, kind
                assert "com.foo.promising.promised failed" in caplog.text, kind
                served.is_fine()
    finally:
        hooks.clear()


def test_method_with_a_call_of_its_own_and_a_hook_that_refuses(make_runtime: MakeRuntime) -> None:
    def refuse(*_: Any) -> None:
        raise RemoteError("teapot", code=42)

    hooks = Promising.promised.__method__.posthooks
    hooks.append(refuse)
    try:
        with running(ServiceServer(["local://a"], [Promising()], make_runtime())) as server:
            answer = Served(server, "com.foo.promising").call("promised", kind="")
    finally:
        hooks.clear()
    assert answer == {"code": 42, "error": "teapot"}


def test_method_that_awaits_a_cancelled_task_has_failed(
    make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    @interface(IFACE)
    class Service:
        @method
        async def wait(self, request: Request) -> None:
            task = asyncio.create_task(asyncio.sleep(3600))
            asyncio.get_running_loop().call_soon(task.cancel)
            await task

        @method
        def hand_out(self, request: Request) -> Any:
            future = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(future.cancel)
            return future

    with running(ServiceServer(["local://a"], [Service()], make_runtime())) as server:
        for name in ("wait", "hand_out"):
            assert Served(server).call(name) == FAILED
            assert f"{IFACE}.{name} failed" in caplog.text
        assert server.in_flight == 0


def test_method_that_timed_something_out_before_it_awaits_a_cancelled_task(
    make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    @interface(IFACE)
    class Service:
        @method
        async def wait(self, request: Request) -> None:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 0.001)
            task = asyncio.create_task(asyncio.sleep(3600))
            task.cancel()
            await task

    with running(ServiceServer(["local://a"], [Service()], make_runtime())) as server:
        assert Served(server).call("wait") == FAILED
        assert f"{IFACE}.wait failed" in caplog.text


@pytest.mark.parametrize("way", ["a message", "this process"])
@pytest.mark.parametrize("name", ["waits", "returns", "awaits_another"])
def test_method_that_cancels_its_own_task_has_failed(
    name: str, way: str, make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    @interface(IFACE)
    class Service:
        @method
        async def waits(self, request: Request) -> None:
            cancel_own_task()
            await asyncio.sleep(3600)

        @method
        async def returns(self, request: Request) -> int:
            cancel_own_task()
            return 3

        @method
        async def awaits_another(self, request: Request) -> None:
            cancel_own_task()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)
            task = asyncio.create_task(asyncio.sleep(3600))
            task.cancel()
            await task

    with running(ServiceServer(["local://a"], [Service()], make_runtime())) as server:
        if way == "a message":
            reply = Served(server).bring(*payload(IFACE, name)).result(helpers.PATIENCE)
            assert helpers.answer_in(reply[2:]) == FAILED
        else:
            assert Served(server).call(name) == FAILED
        assert f"{IFACE}.{name} failed" in caplog.text
        assert "CancelledError" in caplog.text
        assert server.in_flight == 0


def cancel_own_task() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


def test_methods_whose_tasks_another_one_cancels_have_failed(
    make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    @interface(IFACE)
    class Service:
        @method
        async def cancel_all(self, request: Request) -> None:
            for task in asyncio.all_tasks():
                task.cancel()

        @method
        async def wait(self, request: Request) -> None:
            await asyncio.Event().wait()

    with running(ServiceServer(["local://a"], [Service()], make_runtime())) as server:
        names = ["wait", "wait", "cancel_all"]
        for reply in [Served(server).bring(*payload(IFACE, name)) for name in names]:
            assert helpers.answer_in(reply.result(helpers.PATIENCE)[2:]) == FAILED
        assert caplog.text.count("wait failed") == 2
        assert caplog.text.count("cancel_all failed") == 1
        assert server.in_flight == 0


# What is none of the call's own.


@pytest.mark.parametrize("who", ["caller", "everybody"])
def test_cancellation_of_a_call_is_no_failure(
    who: str, make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller gives up, or a program cancels all tasks of a loop."""
    seen: list[str] = []

    @interface(IFACE)
    class Service:
        @method
        async def wait(self, request: Request) -> None:
            seen.append("begun")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

    server = ServiceServer(["local://a"], [Service()], make_runtime())

    async def run() -> Any:
        mine = asyncio.current_task()
        call = asyncio.create_task(server.answer([b"client", b"", *payload(IFACE, "wait")]))
        await comes_true(lambda: seen)
        for task in [call] if who == "caller" else asyncio.all_tasks() - {mine}:
            task.cancel()
        return await call

    reply = asyncio.run(run())
    assert reply[2] == b"FAIL"
    assert seen == ["begun", "cancelled"]
    assert server.in_flight == 0
    assert caplog.text == ""


def test_calls_that_are_left_when_their_loop_is_closed_are_no_failures(
    make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    started = threading.Event()

    @interface(IFACE)
    class Service:
        @method
        def promised(self, request: Request) -> Future:
            started.set()
            return Future(request)

    server = ServiceServer(["local://a"], [Service()], make_runtime())
    answer = server.answer([b"client", b"", *payload(IFACE, "promised")])

    async def begin() -> None:
        answer.send(None)

    asyncio.run(begin())
    assert started.is_set()
    assert server.in_flight == 1
    answer.close()
    assert server.in_flight == 0
    assert caplog.text == ""


@pytest.mark.parametrize("name", ["interrupted", "through_another"])
def test_ctrl_c_in_a_method_ends_who_runs_the_loop(
    name: str, make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    """A program that runs a server itself leaves Ctrl-C to the interpreter."""

    @interface(IFACE)
    class Service:
        @method
        def interrupted(self, request: Request) -> None:
            signal.raise_signal(signal.SIGINT)

        @method
        async def interrupted_later(self, request: Request) -> None:
            await asyncio.sleep(0)
            signal.raise_signal(signal.SIGINT)

        @method
        def through_another(self, request: Request) -> Any:
            with request.context().connect("local://a", IFACE) as component:
                return component.invoke("interrupted_later")

        @method
        def introspect(self, request: Request) -> Any:
            return {"methods": {}}

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    server = ServiceServer(["local://a"], [Service()], make_runtime())
    loop = asyncio.new_event_loop()
    server.setup(loop)
    call = loop.create_task(server.answer([b"client", b"", *payload(IFACE, name)]))
    with pytest.raises(KeyboardInterrupt):
        run_forever(loop)
    assert helpers.answer_in(loop.run_until_complete(call)[2:]) == FAILED
    assert f"{IFACE}.{name} failed\nTraceback" in caplog.text
    assert server.in_flight == 0
    server.close()
    loop.close()


async def pycom_authenticate() -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("hooked", [False, True])
def test_thousands_of_cancelled_calls_leave_nothing_behind(
    threads: int, hooked: bool, make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    """At whatever step each of them is: in a hook, waiting for its session, in the method."""

    @hookimpl(wrapper=True)
    def pycom_invoke() -> Generator[None, Any, Any]:
        return (yield)

    @interface(IFACE, stateful=True)
    class Counting:
        @method
        async def count(self, request: Request) -> int:
            before = request.session.get("count", 0)  # type: ignore[union-attr]
            await asyncio.sleep(0)
            request.session["count"] = before + 1  # type: ignore[index]
            return before + 1

        @method
        def count_now(self, request: Request) -> Any:
            return self.count(request)

    hooks = {"pycom_invoke": pycom_invoke, "pycom_authenticate": hookimpl(pycom_authenticate)}
    plugins = {"mine": SimpleNamespace(**hooks)} if hooked else {}
    server = ServiceServer(["local://a"], [Counting()], make_runtime(plugins, threads=threads))
    chance = random.Random(1)

    async def call(session: str | None) -> Any:
        name = chance.choice(["count", "count_now"])
        reply = await server.answer([b"client", b"", *payload(IFACE, name, session_id=session)])
        return reply[2], json.loads(reply[3])

    async def give_up(session: str) -> int:
        task = asyncio.create_task(call(session))
        for _ in range(chance.randrange(12)):
            await asyncio.sleep(0)
        task.cancel()
        try:
            status, answer = await task
        except asyncio.CancelledError:  # before it began
            return 0
        return answer.get("result", 0) if status == b"OK" else 0

    async def storm() -> None:
        _status, opened = await call(None)
        session = opened["session_id"]
        for _ in range(10):
            await asyncio.gather(*(give_up(session) for _ in range(200)))
        _status, last = await call(session)
        assert last["result"] > 1

    asyncio.run(asyncio.wait_for(storm(), helpers.PATIENCE))
    assert server.in_flight == 0
    assert server.sessions._waiting == {}
    assert caplog.text == "", "to be given up is no failure"
    server.close()
