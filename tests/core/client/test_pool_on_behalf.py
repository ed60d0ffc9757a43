"""Blocking calls on behalf of a request: they end when it is cancelled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from helpers import PATIENCE

from pycom_core.client._pool_on_behalf import CallOnBehalf, PoolOnBehalf
from pycom_core.errors import CallCancelled, CallTimeout, ServiceNotAvailable
from pycom_core.messages import Delivery
from pycom_core.transport import Channel
from pycom_core.transport._pool import Pool


class Blocking(Channel):
    """A channel whose calls wait for `answer`, or until they are aborted."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.begun = threading.Event()
        self.answer: Future[Any] = Future()
        self.when_aborted: Any = ServiceNotAvailable("lost", sent=address != "unsent")
        self.aborts = 0
        self.closed = False

    def exchange(self, payload: Any, timeout: float) -> Any:
        self.begun.set()
        answer = self.answer.result(PATIENCE)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def abort(self) -> None:
        self.aborts += 1
        if not self.answer.done():
            self.answer.set_result(self.when_aborted)

    def is_alive(self) -> bool:
        return not self.closed

    def close(self) -> None:
        self.closed = True


class World:
    def __init__(self) -> None:
        self.made: list[Blocking] = []
        self.pool = Pool(self._connect)
        self.running: set[CallOnBehalf] = set()
        self.threads = ThreadPoolExecutor(4)

    def _connect(self, address: str) -> Blocking:
        self.made.append(Blocking(address))
        return self.made[-1]

    def request(self) -> Delivery:
        return Delivery.of_process([], nested=False)

    def on_behalf_of(self, delivery: Delivery) -> PoolOnBehalf:
        return PoolOnBehalf(self.pool, delivery, self.running)

    def begin(self, delivery: Delivery, address: str = "a") -> tuple[CallOnBehalf, Future[Any]]:
        """A call that blocks in another thread."""
        channel = self.on_behalf_of(delivery).borrow(address)
        call = self.threads.submit(channel.exchange, [], 1000)
        assert self.made[-1].begun.wait(PATIENCE)
        return channel, call


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    with world.threads:
        yield world
        for channel in world.made:
            channel.abort()


@pytest.mark.parametrize(("address", "sent"), [("a", True), ("unsent", False)])
def test_blocked_call_is_given_up(address: str, sent: bool, world: World) -> None:
    delivery = world.request()
    _, call = world.begin(delivery, address)
    delivery.cancel()
    with pytest.raises(CallCancelled, match="Given up" if sent else "Not sent") as caught:
        call.result(PATIENCE)
    assert caught.value.sent is sent
    assert isinstance(caught.value.__cause__, ServiceNotAvailable)
    assert not world.running


def test_calls_for_other_requests_go_on(world: World) -> None:
    delivery = world.request()
    _, other = world.begin(world.request())
    _, call = world.begin(delivery)
    delivery.cancel()
    assert isinstance(call.exception(PATIENCE), CallCancelled)
    assert world.made[0].aborts == 0
    world.made[0].answer.set_result(["reply"])
    assert other.result(PATIENCE) == ["reply"]


def test_calls_of_several_threads_are_all_given_up(world: World) -> None:
    delivery = world.request()
    calls = [world.begin(delivery)[1] for _ in range(3)]
    delivery.cancel()
    assert all(isinstance(call.exception(PATIENCE), CallCancelled) for call in calls)


@pytest.mark.parametrize("borrowed", [False, True])
def test_further_call_is_not_sent(borrowed: bool, world: World) -> None:
    delivery = world.request()
    pool = world.on_behalf_of(delivery)
    channel = pool.borrow("a")
    delivery.cancel()
    with pytest.raises(CallCancelled) as caught:
        (channel if borrowed else pool.borrow("a")).exchange([], 1000)
    assert not caught.value.sent
    assert not world.made[0].begun.is_set()


def test_reply_that_comes_as_the_request_is_cancelled_counts(world: World) -> None:
    delivery = world.request()
    channel, call = world.begin(delivery)
    world.made[0].when_aborted = ["reply"]
    delivery.cancel()
    assert call.result(PATIENCE) == ["reply"]
    world.on_behalf_of(delivery).give_back("a", channel)
    assert world.made[0].closed, "its connection is aborted"


def test_timeout_stays_one(world: World) -> None:
    delivery = world.request()
    _, call = world.begin(delivery)
    world.made[0].when_aborted = CallTimeout("late")
    delivery.cancel()
    assert isinstance(call.exception(PATIENCE), CallTimeout)


def test_failure_of_a_call_that_nobody_gave_up_stays_one(world: World) -> None:
    _, call = world.begin(world.request())
    world.made[0].answer.set_result(ServiceNotAvailable("lost"))
    assert isinstance(call.exception(PATIENCE), ServiceNotAvailable)


def test_channel_whose_call_is_over_is_left_to_others(world: World) -> None:
    delivery = world.request()
    channel, call = world.begin(delivery)
    world.made[0].answer.set_result(["reply"])
    call.result(PATIENCE)
    world.on_behalf_of(delivery).give_back("a", channel)
    channel.abort()  # as by a thread that found the call a moment ago
    delivery.cancel()
    assert world.pool.borrow("a") is world.made[0]
    assert world.made[0].aborts == 0
