"""Slow sync methods of services over sockets: in a worker, or by default on the event loop."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import helpers
import pytest

import pycom
from pycom_core.server._placement import IN_A_ROW, SLOW
from pycom_core.testing import RealNetwork

IFACE = "com.foo.blocked"
#: Both sides watch the deadline; whichever notices first says so.
TIMED_OUT = (pycom.CallTimeout, pycom.DeadlineExceeded)


@pycom.interface(IFACE)
class Mixed(pycom.Service):
    def __init__(self) -> None:
        self.began, self.release = threading.Event(), threading.Event()
        self.notes: list[Any] = []

    @pycom.method
    def work(self, request: pycom.Request, seconds: float = 2 * SLOW) -> str:
        time.sleep(seconds)
        return threading.current_thread().name

    @pycom.method
    def hold(self, request: pycom.Request) -> None:
        time.sleep(2 * SLOW)
        self.began.set()
        assert self.release.wait(helpers.PATIENCE)

    @pycom.method
    def note(self, request: pycom.Request, value: Any) -> str:
        self.notes.append(value)
        return threading.current_thread().name

    @pycom.method
    async def echo(self, request: pycom.Request, value: Any) -> Any:
        return value


@pycom.interface("com.foo.stored")
class Stored(pycom.Service):
    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:")  # for the thread that made it

    @pycom.method
    def query(self, request: pycom.Request) -> Any:
        time.sleep(2 * SLOW)
        return self.connection.execute("select 1").fetchone()[0]

    @pycom.method
    def end(self, request: pycom.Request) -> None:
        self.connection.close()


class Service:
    """A service, and calls of it over connections of their own."""

    def __init__(self, network: RealNetwork, calls: Executor, threads: int | str) -> None:
        self.running = network.serve(Mixed, threads=threads)
        self.network, self.calls = network, calls
        self.component = network.context().locate(IFACE)
        self.mixed: Mixed = self.running.server.interfaces[IFACE].instance

    def call(self, name: str, *, timeout: float = 1000 * helpers.PATIENCE, **args: Any) -> Any:
        return self.component.invoke(name, args, timeout=timeout)

    def begin(self, name: str, **args: Any) -> Future[Any]:
        """Call, and return when the call waits for the worker."""
        before = self.waiting()
        call = self.calls.submit(self.call, name, **args)
        helpers.until(lambda: self.waiting() > before)
        return call

    def waiting(self) -> int:
        """Return how many calls wait for the worker."""
        thread: Any = self.running.server._workers._thread  # type: ignore[union-attr]
        return int(thread._given - thread._taken)

    def holding(self) -> Future[Any]:
        """Begin a call that holds the worker, and wait until it does."""
        self.mixed.release.set()
        self.call("hold")
        self.mixed.release.clear()
        self.mixed.began.clear()
        held = self.calls.submit(self.call, "hold")
        assert self.mixed.began.wait(helpers.PATIENCE)
        return held


@pytest.fixture
def network() -> Iterator[RealNetwork]:
    with RealNetwork() as network:
        yield network


@pytest.fixture
def auto(network: RealNetwork) -> Iterator[Service]:
    with ThreadPoolExecutor() as calls:
        service = Service(network, calls, "auto")
        yield service
        service.mixed.release.set()


def test_echo_is_answered_while_a_slow_method_runs(auto: Service) -> None:
    held = auto.holding()
    assert [auto.call("echo", value=value) for value in range(10)] == list(range(10))
    assert not held.done()
    auto.mixed.release.set()
    held.result(helpers.PATIENCE)


def test_sync_methods_wait_for_each_other_and_keep_their_order(auto: Service) -> None:
    held = auto.holding()
    queued = [auto.begin("note", value=value) for value in range(5)]
    assert auto.mixed.notes == []
    auto.mixed.release.set()
    names = {call.result(helpers.PATIENCE) for call in queued}
    held.result(helpers.PATIENCE)
    assert auto.mixed.notes == list(range(5))
    assert names == {"pycom-worker_0"}


def test_what_times_out_behind_a_slow_method_is_not_run(auto: Service) -> None:
    held = auto.holding()
    with pytest.raises(TIMED_OUT):
        auto.call("note", value="too late", timeout=100)
    helpers.until(lambda: auto.running.server.in_flight == 1)  # it knows a little later
    auto.mixed.release.set()
    held.result(helpers.PATIENCE)
    auto.call("note", value="in time")
    assert auto.mixed.notes == ["in time"]


def test_what_its_caller_leaves_behind_a_slow_method_is_not_run(auto: Service) -> None:
    held = auto.holding()
    with helpers.Dealer(auto.running.address) as leaving:
        leaving.begin(IFACE, "note", {"value": "nobody waits"})
        helpers.until(lambda: auto.waiting() == 1)
    helpers.until(lambda: auto.running.server.in_flight == 1)
    auto.mixed.release.set()
    held.result(helpers.PATIENCE)
    auto.call("note", value="somebody waits")
    assert auto.mixed.notes == ["somebody waits"]


def test_method_that_is_quick_again_comes_back_to_the_loop(auto: Service) -> None:
    here = auto.running.name
    assert [auto.call("work") for _ in range(2)] == [here, "pycom-worker_0"]
    assert auto.call("note", value="another") == here
    names = []
    while not names or names[-1] != here:
        names.append(auto.call("work", seconds=0))
        assert len(names) < 100 * IN_A_ROW
    assert len(names) > IN_A_ROW


def test_what_belongs_to_a_thread_works_by_default_however_slow(network: RealNetwork) -> None:
    network.serve(Stored)
    component = network.context().locate("com.foo.stored")
    assert [component.invoke("query") for _ in range(3)] == [1, 1, 1]
    component.invoke("end")
