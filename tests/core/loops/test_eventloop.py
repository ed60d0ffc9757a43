"""The event loop of the services, and tasks that repeat on it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from pycom_core import ConfigurationError
from pycom_core.loops._eventloop import PeriodicTask, finish, new_event_loop, run_forever
from pycom_core.testing import Clock

INTERVAL = 250  # ms


class Timer:
    """A timer, as `call_later` returns it."""

    def __init__(self, due: float, callback: Callable[[], object]) -> None:
        self.due, self.callback = due, callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """An event loop of timers alone, whose time the test moves."""

    def __init__(self) -> None:
        self.clock = Clock(0)
        self._timers: list[Timer] = []

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        self._timers.append(Timer(self.clock.now() + delay, callback))
        return self._timers[-1]

    def advance(self, seconds: float) -> None:
        """Let time pass; timers that are due by then run, each at its own time."""
        end = self.clock.now() + seconds
        while due := [one for one in self._timers if one.due <= end and not one.cancelled]:
            timer = min(due, key=lambda one: one.due)
            self._timers.remove(timer)
            self.clock.advance(max(0.0, timer.due - self.clock.now()))
            timer.callback()
        self.clock.advance(end - self.clock.now())


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def calls() -> list[float]:
    """The times of the callback's calls, in seconds."""
    return []


@pytest.fixture
def task(loop: Loop, calls: list[float]) -> PeriodicTask:
    return repeating(loop, calls, lambda: None)


def repeating(loop: Loop, calls: list[float], callback: Callable[[], object]) -> PeriodicTask:
    """A task that notes the time and then calls back."""

    def run() -> None:
        calls.append(round(loop.clock.now(), 3))
        callback()

    return PeriodicTask(run, INTERVAL, loop)  # type: ignore[arg-type]


def test_nothing_happens_before_the_start(
    loop: Loop, task: PeriodicTask, calls: list[float]
) -> None:
    task.stop()
    loop.advance(10)
    assert calls == []


def test_calls_after_each_interval(loop: Loop, task: PeriodicTask, calls: list[float]) -> None:
    task.start()
    loop.advance(0.2)
    assert calls == []
    loop.advance(0.8)
    assert calls == [0.25, 0.5, 0.75, 1.0]


def test_started_twice_it_is_one_task(loop: Loop, task: PeriodicTask, calls: list[float]) -> None:
    task.start()
    loop.advance(0.2)
    task.start()
    loop.advance(0.4)
    assert calls == [0.25, 0.5]


def test_stopped_and_started_again(loop: Loop, task: PeriodicTask, calls: list[float]) -> None:
    task.start()
    loop.advance(0.3)
    task.stop()
    task.stop()
    loop.advance(0.7)
    assert calls == [0.25]
    task.start()
    loop.advance(0.3)
    assert calls == [0.25, 1.25]


def test_callback_may_stop_its_task(loop: Loop, calls: list[float]) -> None:
    own = repeating(loop, calls, lambda: own.stop())
    own.start()
    loop.advance(1)
    assert calls == [0.25]


def test_callback_may_start_its_task_anew(loop: Loop, calls: list[float]) -> None:
    def again() -> None:
        own.stop()
        own.start()

    own = repeating(loop, calls, again)
    own.start()
    loop.advance(0.8)
    assert calls == [0.25, 0.5, 0.75]


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, KeyboardInterrupt])
def test_callback_that_fails_is_called_again(
    error: type[BaseException],
    loop: Loop,
    calls: list[float],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> None:
        raise error

    task = repeating(loop, calls, fail)
    task.start()
    loop.advance(0.5)
    assert calls == [0.25, 0.5]
    assert [record.message for record in caplog.records] == ["A repeating task failed"] * 2
    assert error.__name__ in caplog.text


def test_signal_goes_on_from_a_callback(loop: Loop, calls: list[float]) -> None:
    task = repeating(loop, calls, lambda: signal.raise_signal(signal.SIGINT))
    task.start()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        loop.advance(0.25)


def test_slow_callback_does_not_run_more_often_to_catch_up(loop: Loop, calls: list[float]) -> None:
    task = repeating(loop, calls, lambda: loop.clock.advance(1) if len(calls) == 1 else None)
    task.start()
    loop.advance(1.5)
    assert calls == [0.25, 1.25, 1.5]


@pytest.mark.parametrize(
    ("kind", "is_fast"), [("auto", True), ("uvloop", True), ("asyncio", False)]
)
def test_uvloop_where_it_is_installed(
    kind: str, is_fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fast(asyncio.SelectorEventLoop):
        pass

    monkeypatch.setitem(sys.modules, "uvloop", SimpleNamespace(Loop=Fast))
    loop = new_event_loop(kind)
    assert isinstance(loop, Fast) is is_fast
    loop.close()


def test_uvloop_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    monkeypatch.setattr(asyncio, "new_event_loop", lambda: "standard")
    assert new_event_loop("auto") == "standard"
    with pytest.raises(ConfigurationError, match="pip install uvloop$"):
        new_event_loop("uvloop")


def drop_loop(kind: str) -> None:
    new_event_loop(kind)
    gc.collect()


@pytest.mark.parametrize("kind", ["asyncio", "auto"])  # uvloop, where that is installed
def test_loop_that_is_dropped_warns_and_lets_go(kind: str) -> None:
    descriptors = []
    for _ in range(3):
        with pytest.warns(ResourceWarning, match="unclosed event loop"):
            drop_loop(kind)
        descriptors.append(len(os.listdir("/dev/fd")))
    assert descriptors[1] == descriptors[2]  # the first uvloop opens some for good


# Running a loop until it is stopped.


@pytest.fixture(params=["asyncio", "auto"])
def real_loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop of asyncio, and of uvloop where that is installed."""
    loop = new_event_loop(request.param)
    yield loop
    loop.close()


async def leave() -> None:
    await asyncio.sleep(0)
    sys.exit(3)


def test_loop_goes_on_after_an_exit_in_a_task(real_loop: asyncio.AbstractEventLoop) -> None:
    seen: list[object] = []

    async def watch() -> None:
        for _ in range(3):
            task = asyncio.ensure_future(leave())
            await asyncio.wait([task])
            seen.append(task.exception())
        real_loop.stop()

    task = real_loop.create_task(watch())
    run_forever(real_loop)
    assert task.done()
    assert [type(one) for one in seen] == [SystemExit] * 3


def test_loop_goes_on_after_an_exit_in_a_callback(
    real_loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    real_loop.call_soon(sys.exit, 3)
    real_loop.call_soon(real_loop.call_soon, real_loop.stop)
    run_forever(real_loop)
    assert "A callback of the event loop failed\nTraceback" in caplog.text
    assert "SystemExit: 3" in caplog.text


def test_ctrl_c_in_a_task_is_meant_for_the_program(real_loop: asyncio.AbstractEventLoop) -> None:
    async def interrupted() -> None:
        await asyncio.sleep(0)
        signal.raise_signal(signal.SIGINT)

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    task = real_loop.create_task(interrupted())
    with pytest.raises(KeyboardInterrupt):
        run_forever(real_loop)
    assert isinstance(task.exception(), KeyboardInterrupt)


def test_loop_that_is_finished_has_ended_what_ran_on_it() -> None:
    loop = asyncio.new_event_loop()
    seen: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("ended")

    task = loop.create_task(wait())
    loop.run_until_complete(asyncio.sleep(0))
    finish(loop, 30)
    assert seen == ["ended"]
    assert task.cancelled()
    assert loop.is_closed()
