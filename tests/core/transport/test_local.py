"""Calls that stay within the process, and the double of a network."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import helpers
import pytest
from in_process import MakeRuntime, payload, running

from pycom_core import (
    CallTimeout,
    ConfigurationError,
    Context,
    LocalTransport,
    RemoteError,
    Request,
    ServiceNotAvailable,
    ServiceServer,
    interface,
    method,
)

IFACE = "com.foo.local"


@interface(IFACE)
class Near:
    introspection_data: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.cancelled = threading.Event()

    @method
    def thread(self, request: Request) -> str:
        return threading.current_thread().name

    @method
    async def home(self, request: Request) -> str:
        return threading.current_thread().name

    @method
    async def later(self, request: Request) -> str:
        await asyncio.sleep(0)
        return "later"

    @method(results=("size", "back"), attachments=("blob", "back"))
    def mirror(self, request: Request, blob: bytes) -> tuple[int, bytes]:
        return len(blob), blob

    @method
    async def stuck(self, request: Request) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()

    @method
    def wait(self, request: Request) -> None:
        self.begun.set()
        if request.cancelled.wait(helpers.PATIENCE):
            self.cancelled.set()

    @method
    def ask(self, request: Request, address: str, name: str, args: Any = None) -> Any:
        with request.context().connect(address, IFACE) as component:
            return component.invoke(name, args)

    @method
    async def ask_later(self, request: Request, address: str, name: str, args: Any = None) -> Any:
        return self.ask(request, address, name, args)


@pytest.mark.parametrize("runs", [True, False])
@pytest.mark.parametrize("own", [True, False])
def test_calls(runs: bool, own: bool, make_runtime: MakeRuntime) -> None:
    """From the server's runtime and from another, whether the server's loop runs or not."""
    runtime = make_runtime()
    server = ServiceServer(["local://a"], [Near()], runtime)
    context = Context(runtime=runtime if own else make_runtime())
    component = context.connect("local://a", IFACE)

    def check() -> None:
        assert component.invoke("later") == "later"
        assert component.invoke("later", timeout=math.inf) == "later"
        assert component.invoke("later", timeout=1e300) == "later"
        blob = b"\x00" * 100_000
        assert component.invoke("mirror", attachment=blob) == ({"size": 100_000}, blob)
        here = component.invoke("thread") == threading.current_thread().name
        assert here is not runs
        with pytest.raises(RemoteError, match="not found"):
            component.invoke("nothing")

    if runs:
        with running(server):
            check()
    else:
        check()
        server.close()
    context.close()


@pytest.mark.parametrize("own", [True, False])
def test_timeout_cancels_what_runs_and_leaves_the_client_usable(
    own: bool, make_runtime: MakeRuntime
) -> None:
    runtime, near = make_runtime(), Near()
    with running(ServiceServer(["local://a"], [near], runtime)):
        context = Context(runtime=runtime if own else make_runtime())
        component = context.connect("local://a", IFACE)
        with pytest.raises((CallTimeout, RemoteError)):
            component.invoke("stuck", timeout=30)
        assert near.cancelled.wait(30)
        assert component.invoke("later") == "later"
        context.close()


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize(("name", "runs"), [("stuck", True), ("stuck", False), ("wait", True)])
def test_aborted_call(name: str, runs: bool, own: bool, make_runtime: MakeRuntime) -> None:
    """A method that waits on an event loop or in a worker hears of it."""
    runtime, near = make_runtime(threads=1), Near()
    server = ServiceServer(["local://a"], [near], runtime)
    channel = (runtime if own else make_runtime()).connect("local://a")
    with running(server) if runs else contextlib.closing(server), ThreadPoolExecutor() as threads:
        call = threads.submit(channel.exchange, payload(IFACE, name), 1000 * helpers.PATIENCE)
        assert near.begun.wait(helpers.PATIENCE)
        channel.abort()
        with pytest.raises(ServiceNotAvailable, match="The call was aborted") as caught:
            call.result(helpers.PATIENCE)
        assert caught.value.sent
        assert near.cancelled.wait(helpers.PATIENCE)


@pytest.mark.parametrize("runs", [True, False])
def test_call_that_is_aborted_before_it_begins(runs: bool, make_runtime: MakeRuntime) -> None:
    runtime, near = make_runtime(), Near()
    server = ServiceServer(["local://a"], [near], runtime)
    channel = runtime.connect("local://a")
    with running(server) if runs else contextlib.closing(server):
        channel.abort()
        with pytest.raises(ServiceNotAvailable, match="The call was aborted"):
            channel.exchange(payload(IFACE, "stuck"), 1000 * helpers.PATIENCE)
    assert not near.begun.is_set()


def test_timeout_of_a_server_whose_loop_does_not_run(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    server = ServiceServer(["local://a"], [Near()], runtime)
    context = Context(runtime=runtime)
    component = context.connect("local://a", IFACE)
    request = Request(IFACE, "stuck", extensions={"org.pycom.deadline": 60_000})
    with pytest.raises(CallTimeout, match="within 30 ms"):
        component.invoke_with_request(request, timeout=30)
    assert component.invoke("later") == "later"
    context.close()
    server.close()


@pytest.mark.parametrize("outer", ["ask", "ask_later"])
@pytest.mark.parametrize("inner", ["later", "ask"])
@pytest.mark.parametrize("threads", [0, 2])
def test_service_calls_its_own_process(
    outer: str, inner: str, threads: int, make_runtime: MakeRuntime
) -> None:
    runtime = make_runtime(threads=threads)
    with running(ServiceServer(["local://a"], [Near()], runtime)):
        context = Context(runtime=make_runtime())
        component = context.connect("local://a", IFACE)
        arguments = {"address": "local://a", "name": inner}
        if inner == "ask":
            arguments["args"] = {**arguments, "name": "later"}
        assert component.invoke(outer, arguments) == "later"
        context.close()


@pytest.mark.parametrize(
    ("outer", "threads", "aside"),
    [("ask", 0, False), ("ask_later", 0, False), ("ask", 2, True), ("ask_later", 2, False)],
)
def test_where_a_method_runs_that_its_own_process_calls(
    outer: str, threads: int, aside: bool, make_runtime: MakeRuntime
) -> None:
    """It runs beside the workers if a worker waits for it, else on the loop: all may be waiting."""
    with running(ServiceServer(["local://a"], [Near()], make_runtime(threads=threads))):
        context = Context(runtime=make_runtime())
        component = context.connect("local://a", IFACE)
        where = component.invoke(outer, {"address": "local://a", "name": "thread"})
        assert where == ("pycom-nested_0" if aside else component.invoke("home"))
        context.close()


def test_server_that_is_closed_answers_nobody(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    server = ServiceServer(["local://a"], [Near()], runtime)
    contexts = [Context(runtime=runtime), Context(runtime=make_runtime())]
    components = [context.connect("local://a", IFACE) for context in contexts]
    for component in components:
        assert component.invoke("later") == "later"
    server.close()
    for component in components:
        with pytest.raises(ServiceNotAvailable):
            component.invoke("later")
    successor = ServiceServer(["local://a"], [Near()], runtime)
    for component in components:
        assert component.invoke("later") == "later"
    successor.close()
    for context in contexts:
        context.close()


def test_addresses(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    server = ServiceServer(["tcp://127.0.0.1:*", "tcp://127.0.0.1:0", "local://a"], (), runtime)
    assert server.addresses == ["tcp://127.0.0.1:1", "tcp://127.0.0.1:2", "local://a"]
    with pytest.raises(ConfigurationError, match=r"local://a'.*Address already in use"):
        ServiceServer(["local://b", "local://a"], (), make_runtime())
    ServiceServer(["local://b"], (), runtime).close()
    server.close()
    ServiceServer(["local://a"], (), runtime).close()


def test_nobody_listens() -> None:
    transport = LocalTransport()
    channel = transport.connect("local://a")
    assert not channel.is_alive()
    with pytest.raises(ServiceNotAvailable, match="Nobody listens on local://a"):
        channel.exchange(payload(IFACE, "later"), 1000)


def test_channel_is_alive_while_its_server_is(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    server = ServiceServer(["local://a"], (), runtime)
    channels = [runtime.connect("local://a"), make_runtime().connect("local://a")]
    assert [channel.is_alive() for channel in channels] == [True, True]
    server.close()
    assert [channel.is_alive() for channel in channels] == [False, False]
    for channel in channels:
        channel.close()
