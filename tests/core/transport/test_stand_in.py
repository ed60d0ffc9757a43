"""The thread that takes in what arrives while a method holds the loop."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator

import pytest
from helpers import PATIENCE, until

from pycom_core.transport import _stand_in as standin
from pycom_core.transport._stand_in import StandIn


class Watched:
    """A stand-in that tells when it received."""

    def __init__(self) -> None:
        self.received = threading.Semaphore(0)
        self.stand_in = StandIn(self.received.release)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr(standin, "PATIENCE", 0.001)
    monkeypatch.setattr(standin, "IDLE", 0.002)
    watched = Watched()
    watched.stand_in.start()
    yield watched
    watched.stand_in.stop()


def falls_asleep(stand_in: StandIn) -> None:
    until(lambda: stand_in._asleep)


def test_receives_again_and_again_while_the_loop_is_busy(watched: Watched) -> None:
    watched.stand_in.busy()
    for _ in range(3):
        assert watched.received.acquire(timeout=PATIENCE)
    watched.stand_in.free()


def test_leaves_a_loop_that_is_free_alone(watched: Watched) -> None:
    watched.stand_in.busy()
    assert watched.received.acquire(timeout=PATIENCE)
    watched.stand_in.free()
    falls_asleep(watched.stand_in)
    while watched.received.acquire(blocking=False):
        pass
    falls_asleep(watched.stand_in)
    assert not watched.received.acquire(blocking=False)


def test_wakes_when_work_begins(watched: Watched) -> None:
    for _ in range(3):
        falls_asleep(watched.stand_in)
        watched.stand_in.busy()
        assert watched.received.acquire(timeout=PATIENCE)
        watched.stand_in.free()


@pytest.mark.parametrize("asleep", [True, False])
def test_stops(asleep: bool, watched: Watched) -> None:
    if asleep:
        falls_asleep(watched.stand_in)
    else:
        watched.stand_in.busy()
    watched.stand_in.stop()
    assert not watched.stand_in._thread.is_alive()


def test_stops_without_having_started() -> None:
    StandIn(threading.Event().set).stop()


def test_keeps_no_server_alive(watched: Watched) -> None:
    received = weakref.ref(watched.received)
    watched.stand_in.busy()
    assert watched.received.acquire(timeout=PATIENCE)
    del watched.received
    until(lambda: received() is None)  # the thread lets go
    watched.stand_in.stop()
    assert not watched.stand_in._thread.is_alive()


def test_ends_with_its_server(watched: Watched) -> None:
    falls_asleep(watched.stand_in)
    del watched.received
    watched.stand_in._thread.join(PATIENCE)
    assert not watched.stand_in._thread.is_alive()
