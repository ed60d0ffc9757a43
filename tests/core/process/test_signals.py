"""The signals that end a service, in the process of the test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pycom_core.process import _signals as signals
from pycom_core.process._signals import STOPPING, StopSignals, ignore_signals

PATIENCE = 30  # s


class Heard:
    """The calls of `stop` and `leave`, in their order."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def stop(self, name: str) -> None:
        self._calls.put(("stop", name))

    def leave(self, name: str | None) -> None:
        self._calls.put(("leave", name))

    def next(self) -> tuple[str, Any]:
        return self._calls.get(timeout=PATIENCE)

    def nothing_more(self, seconds: float = 0.0) -> bool:
        # The queue of Python 3.10 may wait for ever for a timeout of zero.
        with contextlib.suppress(queue.Empty):
            self._calls.get(block=seconds > 0, timeout=seconds or None)
            return False
        return True


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Those of before, whatever a test does."""
    before = {number: signal.getsignal(number) for number in (*STOPPING, signal.SIGUSR1)}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


Watching = Callable[..., contextlib.AbstractContextManager[StopSignals]]


@pytest.fixture
def watching(loop: asyncio.AbstractEventLoop, heard: Heard) -> Watching:
    @contextlib.contextmanager
    def watching(bound: float = PATIENCE) -> Iterator[StopSignals]:
        stops = StopSignals(loop, heard.stop, heard.leave, bound)
        stops.open()
        try:
            yield stops
        finally:
            stops.close()

    return watching


@pytest.mark.parametrize("number", STOPPING)
def test_the_first_of_them_stops(watching: Watching, heard: Heard, number: int) -> None:
    with watching():
        signal.raise_signal(number)
        assert heard.next() == ("stop", signal.Signals(number).name)
    assert heard.nothing_more()


def test_those_of_a_second_are_one(
    watching: Watching, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "SAME_REQUEST", PATIENCE)  # a second is short on a busy machine
    with watching():
        for _ in range(3):
            for number in STOPPING:
                signal.raise_signal(number)
        assert heard.next() == ("stop", "SIGTERM")
    assert heard.nothing_more()


def test_a_later_one_does_not_wait(
    watching: Watching, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "SAME_REQUEST", 0.0)
    with watching():
        signal.raise_signal(signal.SIGTERM)
        assert heard.next() == ("stop", "SIGTERM")
        signal.raise_signal(signal.SIGINT)
        assert heard.next() == ("leave", "SIGINT")


def test_the_end_has_a_bound(watching: Watching, heard: Heard) -> None:
    with watching(bound=0.01):
        signal.raise_signal(signal.SIGTERM)
        assert heard.next() == ("stop", "SIGTERM")
        assert heard.next() == ("leave", None)


def test_the_bound_can_be_put_off(watching: Watching, heard: Heard) -> None:
    signal.signal(signal.SIGUSR1, lambda *_: None)
    with watching(bound=0.01) as stops:
        stops.allow(PATIENCE)
        signal.raise_signal(signal.SIGTERM)
        assert heard.next() == ("stop", "SIGTERM")
        assert heard.nothing_more(0.05)
        stops.allow(0.0)
        signal.raise_signal(signal.SIGUSR1)  # it looks again
        assert heard.next() == ("leave", None)


def test_nothing_is_left_of_it(watching: Watching) -> None:
    before = [signal.getsignal(number) for number in STOPPING]
    descriptors = os.listdir("/dev/fd")
    with watching():
        assert [signal.getsignal(number) for number in STOPPING] != before
        signal.raise_signal(signal.SIGTERM)
    assert [signal.getsignal(number) for number in STOPPING] == before
    assert signal.set_wakeup_fd(-1) == -1
    assert len(os.listdir("/dev/fd")) == len(descriptors)


def test_ignored_sighup_stays_ignored(watching: Watching, heard: Heard) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as it is in the background of a shell
    with watching():
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGINT)
        assert heard.next() == ("stop", "SIGINT")
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_numbers_are_passed_on_to_whoever_was_there(watching: Watching, heard: Heard) -> None:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    ours.settimeout(PATIENCE)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    before = signal.set_wakeup_fd(theirs.fileno())
    try:
        with ours, theirs, watching():
            for number in (signal.SIGUSR1, signal.SIGTERM):
                signal.raise_signal(number)
                assert ours.recv(1) == bytes([number])
            assert heard.next() == ("stop", "SIGTERM")
            theirs.close()  # its number may belong to another file now, which must get nothing
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.set_wakeup_fd(before)


def test_a_loop_that_waits_runs_handlers(
    watching: Watching, loop: asyncio.AbstractEventLoop
) -> None:
    signal.signal(signal.SIGUSR1, lambda *_: loop.stop())
    with watching():
        loop.call_soon(signal.raise_signal, signal.SIGUSR1)
        loop.run_forever()


def test_handlers_of_the_loop_run_and_leave_it_the_stop(
    watching: Watching, heard: Heard, loop: asyncio.AbstractEventLoop
) -> None:
    with watching():
        loop.add_signal_handler(signal.SIGTERM, loop.stop)
        loop.call_soon(signal.raise_signal, signal.SIGTERM)
        loop.run_forever()
        assert heard.next() == ("stop", "SIGTERM")
        loop.remove_signal_handler(signal.SIGTERM)
        assert callable(signal.getsignal(signal.SIGTERM)), "not the default, which ends at once"


def test_what_the_loop_refuses_it_refuses(
    watching: Watching, heard: Heard, loop: asyncio.AbstractEventLoop
) -> None:
    with watching():
        with pytest.raises((RuntimeError, ValueError)):
            loop.add_signal_handler(sig=signal.SIGKILL, callback=loop.stop)
        with ThreadPoolExecutor(1) as threads:
            added = threads.submit(loop.add_signal_handler, signal.SIGUSR1, loop.stop)
        with pytest.raises(RuntimeError, match="main thread"):
            added.result(PATIENCE)
        signal.raise_signal(signal.SIGTERM)
        assert heard.next() == ("stop", "SIGTERM")


def test_a_descriptor_that_was_closed_is_nobodys(watching: Watching, heard: Heard) -> None:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with ours, theirs:
        before = signal.set_wakeup_fd(theirs.fileno())
    try:
        with watching():
            signal.raise_signal(signal.SIGTERM)
            assert heard.next() == ("stop", "SIGTERM")
    finally:
        signal.set_wakeup_fd(before)


def test_who_takes_the_descriptor_does_not_take_the_stop(watching: Watching, heard: Heard) -> None:
    with watching():
        signal.set_wakeup_fd(-1)
        signal.raise_signal(signal.SIGTERM)
        assert heard.next() == ("stop", "SIGTERM")


def test_what_comes_at_the_very_end_is_ignored() -> None:
    signal.signal(signal.SIGUSR1, lambda *_: None)
    number = signal.SIGALRM  # that of this test's timeout, which may be
    before = signal.getsignal(number)
    try:
        ignore_signals()
        assert signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, "nobody handles it"
    finally:
        signal.signal(number, before)
