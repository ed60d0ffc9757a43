"""Sync methods in one worker while they are slow, by a clock that only methods move."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import helpers
import pytest
from awaited import awaited, comes_true
from in_process import MakeRuntime, answer

import pycom
from pycom_core import Request, ServiceServer, hookimpl, interface, method
from pycom_core.constants import DEADLINE_EXTENSION
from pycom_core.messages import Attachment, Delivery
from pycom_core.server import _workers as workers
from pycom_core.server._placement import IN_A_ROW, SLOW

IFACE = "com.foo.mixed"


class Clock:
    """Moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(workers, "time", clock)
    return clock


@interface(IFACE)
class Mixed(pycom.Service):
    """Methods of both kinds; `ran` are the ends of the sync ones, and where these ran."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.ran: list[tuple[str, str]] = []
        self.began, self.release = threading.Event(), threading.Event()
        self.at_once, self.most_at_once = 0, 0

    def _done(self, name: str) -> str:
        thread = threading.current_thread()
        place = "loop" if thread is threading.main_thread() else thread.name.rpartition("_")[0]
        self.ran.append((name, place))
        return place

    @method
    def work(self, request: Request, seconds: float, hold: bool = False) -> str:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.clock.now += seconds
        if hold:
            self.began.set()
            assert self.release.wait(helpers.PATIENCE)
        self.at_once -= 1
        return self._done("work")

    @method
    def note(self, request: Request, text: str = "note") -> str:
        return self._done(text)

    @method
    def fail(self, request: Request) -> None:
        self._done("fail")
        raise ValueError("of the method")

    @method
    async def echo(self, request: Request, value: Any = None) -> Any:
        return value

    @method
    def outer(self, request: Request, inner: str, args: dict[str, Any], seconds: float) -> Any:
        """Wait for another method of this process."""
        self.clock.now += seconds
        with request.context().connect(request.server.addresses[0], IFACE) as component:
            result = component.invoke(inner, args, timeout=helpers.PATIENCE * 1000)
        self._done("outer")
        return result

    @method
    async def both(self, request: Request, seconds: float) -> list[Any]:
        async with request.async_context() as context:
            component = await context.connect(request.server.addresses[0], IFACE)
            calls = (component.invoke("work", {"seconds": seconds}) for _ in range(2))
            return list(await asyncio.gather(*calls))


class Stage:
    """A server with workers on the running loop."""

    def __init__(self, server: ServiceServer, mixed: Mixed) -> None:
        self.server, self.mixed = server, mixed
        self.replies: list[list[Attachment]] = []
        self._others = set(threading.enumerate())

    def threads(self) -> list[str]:
        """Names of the threads that the server has made."""
        made = [thread.name for thread in set(threading.enumerate()) - self._others]
        return [name for name in made if name.startswith("pycom-")]

    async def call(self, name: str, **args: Any) -> Any:
        """Return the result of a call."""
        answered = await asyncio.wait_for(answer(self.server, IFACE, name, args), helpers.PATIENCE)
        return answered["result"] if answered["code"] == 0 else answered

    def begin(self, name: str, **args: Any) -> asyncio.Task[Any]:
        return asyncio.create_task(self.call(name, **args))

    async def queues(self, count: int) -> None:
        """Wait until so many calls wait for the worker."""
        thread: Any = self.server._workers._thread
        await comes_true(lambda: thread._given - thread._taken == count)

    async def holding(self) -> asyncio.Task[Any]:
        """Begin a call that holds the worker, and wait until it does."""
        await self.call("work", seconds=2 * SLOW)
        held = self.begin("work", seconds=0, hold=True)
        await comes_true(self.mixed.began.is_set)
        self.mixed.ran.clear()
        return held

    def deliver(self, name: str, **others: Any) -> Delivery:
        """Hand over a message as a listener does."""
        body = json.dumps({"interface": IFACE, "method": name, "args": {}, **others}).encode()
        frames = [b"client", b"", b"CALL", body]
        delivery = Delivery(frames, time.monotonic(), self.replies.append)
        self.server.accept(delivery)
        return delivery


@asynccontextmanager
async def staged(make_runtime: MakeRuntime, clock: Clock, **options: Any) -> AsyncIterator[Stage]:
    mixed = Mixed(clock)
    options = {"threads": "auto", **options}
    server = ServiceServer(["local://a"], [mixed], make_runtime(**options))
    server.setup(asyncio.get_running_loop())
    try:
        yield Stage(server, mixed)
    finally:
        mixed.release.set()
        server.close()
        server.join()


@awaited
async def test_quick_methods_need_no_thread(make_runtime: MakeRuntime, clock: Clock) -> None:
    async with staged(make_runtime, clock) as stage:
        assert await stage.call("work", seconds=SLOW / 2) == "loop"
        assert await stage.call("note") == "loop"
        assert stage.threads() == []


@awaited
async def test_slow_method_runs_in_the_worker_until_it_is_quick_again(
    make_runtime: MakeRuntime, clock: Clock
) -> None:
    async with staged(make_runtime, clock) as stage:
        assert await stage.call("work", seconds=2 * SLOW) == "loop"
        assert await stage.call("work", seconds=2 * SLOW) == "pycom-worker"
        assert await stage.call("note") == "loop"
        for _ in range(IN_A_ROW):
            assert await stage.call("work", seconds=0) == "pycom-worker"
        assert await stage.call("work", seconds=0) == "loop"


@awaited
async def test_async_methods_go_on_while_a_slow_one_runs(
    make_runtime: MakeRuntime, clock: Clock
) -> None:
    async with staged(make_runtime, clock) as stage:
        held = await stage.holding()
        assert await stage.call("echo", value=1) == 1
        assert not held.done()
        stage.mixed.release.set()
        assert await held == "pycom-worker"


@awaited
async def test_sync_methods_run_one_at_a_time_in_the_order_of_their_calls(
    make_runtime: MakeRuntime, clock: Clock
) -> None:
    async with staged(make_runtime, clock) as stage:
        held = await stage.holding()
        others = [stage.begin("note", text=text) for text in "abc"]
        others += [stage.begin("work", seconds=0)]
        await stage.queues(4)
        assert stage.mixed.ran == []
        stage.mixed.release.set()
        await asyncio.gather(held, *others)
        assert [name for name, _ in stage.mixed.ran] == ["work", "a", "b", "c", "work"]
        assert {place for _, place in stage.mixed.ran} == {"pycom-worker"}
        assert stage.mixed.most_at_once == 1
        await comes_true(lambda: not stage.server._workers._thread.is_busy)
        assert await stage.call("note") == "loop"


@awaited
async def test_failure_in_the_worker_is_that_of_the_method(
    make_runtime: MakeRuntime, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with staged(make_runtime, clock) as stage:
        held = await stage.holding()
        failing = stage.begin("fail")
        await stage.queues(1)
        stage.mixed.release.set()
        await held
        assert (await failing)["code"] == 1
        assert "ValueError: of the method" in caplog.text
        await comes_true(lambda: not stage.server._workers._thread.is_busy)
        assert await stage.call("note") == "loop", "it counts as done"


@awaited
async def test_deadline_of_a_call_that_waits_for_the_worker(
    make_runtime: MakeRuntime, clock: Clock
) -> None:
    async with staged(make_runtime, clock) as stage:
        held = await stage.holding()
        late = await answer(stage.server, IFACE, "note", extensions={DEADLINE_EXTENSION: 30})
        assert late["code"] == 7
        stage.mixed.release.set()
        await held
        assert await stage.call("work", seconds=0) == "pycom-worker"
        assert [name for name, _ in stage.mixed.ran] == ["work", "work"], "it is not run"


@awaited
async def test_call_that_is_cancelled_while_it_waits_for_the_worker(
    make_runtime: MakeRuntime, clock: Clock
) -> None:
    async with staged(make_runtime, clock) as stage:
        held = await stage.holding()
        call = stage.deliver("note")
        await stage.queues(1)
        call.cancel()
        await comes_true(lambda: stage.server.in_flight == 1)
        stage.mixed.release.set()
        await held
        assert await stage.call("work", seconds=0) == "pycom-worker"
        assert [name for name, _ in stage.mixed.ran] == ["work", "work"], "it is not run"
        assert stage.replies == []


@awaited
async def test_end_of_a_server_gives_up_what_waits_for_the_worker(
    make_runtime: MakeRuntime, clock: Clock
) -> None:
    async with staged(make_runtime, clock) as stage:
        held = await stage.holding()
        stage.deliver("note")
        await stage.queues(1)
        stage.server.close()
        await comes_true(lambda: stage.server.in_flight == 1)
        stage.mixed.release.set()
        assert await held == "pycom-worker"
        await asyncio.to_thread(stage.server.join)
        assert stage.threads() == []
        assert [name for name, _ in stage.mixed.ran] == ["work"]


@awaited
async def test_wrappers_are_around_both_places(make_runtime: MakeRuntime, clock: Clock) -> None:
    seen = []

    @hookimpl(wrapper=True)
    def pycom_invoke() -> Generator[None, Any, Any]:
        result = yield
        seen.append(result)
        return result

    plugins = {"mine": SimpleNamespace(pycom_invoke=pycom_invoke)}
    async with staged(make_runtime, clock, plugins=plugins) as stage:
        for _ in range(2):
            await stage.call("work", seconds=2 * SLOW)
    assert seen == ["loop", "pycom-worker"]


# Calls within the process.

INNERS: dict[str, float] = {"quick": 0, "slow": 2 * SLOW}


@pytest.mark.parametrize("seconds", INNERS.values(), ids=INNERS)
@awaited
async def test_method_in_the_worker_waits_for_another_one(
    seconds: float, make_runtime: MakeRuntime, clock: Clock
) -> None:
    async with staged(make_runtime, clock) as stage:
        await stage.call("outer", inner="note", args={}, seconds=2 * SLOW)
        await stage.call("work", seconds=seconds)
        stage.mixed.ran.clear()
        ran = await stage.call("outer", inner="work", args={"seconds": 0}, seconds=2 * SLOW)
        assert ran == ("pycom-worker" if seconds else "loop")
        assert stage.mixed.ran == [("work", ran), ("outer", "pycom-worker")]


@awaited
async def test_methods_that_wait_for_each_other_however_deep(
    make_runtime: MakeRuntime, clock: Clock
) -> None:
    args: dict[str, Any] = {"inner": "note", "args": {}, "seconds": 2 * SLOW}
    for _ in range(4):
        args = {"inner": "outer", "args": args, "seconds": 2 * SLOW}
    async with staged(make_runtime, clock) as stage:
        for _ in range(2):
            assert await stage.call("outer", **args) == "loop"
        assert len(stage.threads()) == 5


@pytest.mark.parametrize("seconds", INNERS.values(), ids=INNERS)
@awaited
async def test_one_at_a_time_where_several_are_waited_for_at_once(
    seconds: float, make_runtime: MakeRuntime, clock: Clock
) -> None:
    async with staged(make_runtime, clock) as stage:
        for _ in range(2):
            await stage.call("outer", inner="both", args={"seconds": seconds}, seconds=2 * SLOW)
        assert stage.mixed.most_at_once == 1
        assert len(stage.mixed.ran) == 6


@awaited
async def test_caller_in_a_thread_of_the_application_has_no_privilege(
    make_runtime: MakeRuntime, clock: Clock
) -> None:
    async with staged(make_runtime, clock) as stage:
        held = await stage.holding()
        context = pycom.Context(runtime=stage.server.runtime)
        component = context.connect(stage.server.addresses[0], IFACE)
        call = asyncio.create_task(asyncio.to_thread(component.invoke, "note"))
        await stage.queues(1)
        assert stage.mixed.ran == []
        stage.mixed.release.set()
        await held
        assert await call == "pycom-worker"


@awaited
async def test_methods_of_two_servers_that_call_each_other(
    make_runtime: MakeRuntime, clock: Clock
) -> None:
    @interface("com.foo.other")
    class Other(pycom.Service):
        @method
        def back(self, request: Request, address: str, args: dict[str, Any]) -> Any:
            clock.now += 2 * SLOW
            with request.context().connect(address, IFACE) as component:
                return component.invoke("work", args, timeout=helpers.PATIENCE * 1000)

    @interface("com.foo.first")
    class First(pycom.Service):
        @method
        def there(self, request: Request, address: str, args: dict[str, Any]) -> Any:
            clock.now += 2 * SLOW
            with request.context().connect(address, "com.foo.other") as component:
                return component.invoke("back", args, timeout=helpers.PATIENCE * 1000)

    async with staged(make_runtime, clock) as stage:
        stage.server.provide(First())
        other = ServiceServer(["local://b"], [Other()], make_runtime(threads="auto"))
        other.setup(asyncio.get_running_loop())
        back = {"address": "local://a", "args": {"seconds": 2 * SLOW}}
        there = {"address": "local://b", "args": back}
        for place in ("loop", "loop", "loop", "pycom-worker"):  # each learns from the one before
            called = answer(stage.server, "com.foo.first", "there", there)
            assert (await asyncio.wait_for(called, helpers.PATIENCE))["result"] == place
        other.close()
        other.join()


# State.


@awaited
async def test_session_is_for_one_call_at_a_time(make_runtime: MakeRuntime, clock: Clock) -> None:
    @interface("com.foo.counting", stateful=True)
    class Counting(pycom.Service):
        @method
        def count(self, request: Request) -> int:
            clock.now += 2 * SLOW
            request.session["count"] = request.session.get("count", 0) + 1
            return int(request.session["count"])

    async with staged(make_runtime, clock) as stage:
        stage.server.provide(Counting())
        first = await answer(stage.server, "com.foo.counting", "count")
        calls = [
            answer(stage.server, "com.foo.counting", "count", session_id=first["session_id"])
            for _ in range(10)
        ]
        counted = await asyncio.wait_for(asyncio.gather(*calls), helpers.PATIENCE)
    assert [one["result"] for one in counted] == list(range(2, 12))


@awaited
async def test_slow_method_stays_in_the_thread_of_the_loop_by_default(
    make_runtime: MakeRuntime, clock: Clock
) -> None:
    @interface("com.foo.kept")
    class Kept(pycom.Service):
        def __init__(self) -> None:
            self.connection = sqlite3.connect(":memory:")  # for this thread alone

        @method
        def one(self, request: Request) -> int:
            clock.now += 2 * SLOW
            [row] = self.connection.execute("select 1")
            return int(row[0])

        @method
        def close(self, request: Request) -> None:
            self.connection.close()

    async with staged(make_runtime, clock, threads=0) as stage:
        stage.server.provide(Kept())
        for name, result in (("one", 1), ("one", 1), ("close", None)):
            assert (await answer(stage.server, "com.foo.kept", name))["result"] == result
        assert stage.threads() == []
