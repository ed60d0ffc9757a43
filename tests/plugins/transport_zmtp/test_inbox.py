"""The requests of one client: those that wait, and those that run."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
import weakref
from collections.abc import Iterable
from functools import partial

import helpers
import pytest
from helpers import until
from in_process import MakeRuntime, payload, running
from zmtp_stage import Client, plain

import pycom
from pycom_core import Context, Request, ServiceServer, interface, method
from pycom_core.messages import Delivery
from pycom_plugins.transport_zmtp.inbox import Inbox
from pycom_plugins.transport_zmtp.limits import Limits


def delivery(correlation: bytes) -> Delivery:
    return Delivery([b"connection", correlation, b"", b"CALL"], time.monotonic())


def filled(count: int, **limits: int) -> Inbox:
    inbox = Inbox(Limits(**limits))
    inbox.extend(delivery(b"%d" % number) for number in range(count))
    return inbox


def ids(deliveries: Iterable[Delivery]) -> list[bytes]:
    return [bytes(delivery.frames[1]) for delivery in deliveries]


# Room.


def test_full_by_number_until_half_were_begun() -> None:
    inbox = filled(9, inbox=10)
    assert not inbox.is_full(100)
    inbox.append(delivery(b"10"))
    assert inbox.is_full(100)
    for _ in range(4):
        inbox.begin()
        assert not inbox.has_room()
    inbox.begin()
    assert inbox.has_room()
    assert not inbox.is_full(100)


def test_one_piece_may_bring_more_than_there_is_room_for() -> None:
    inbox = filled(30, inbox=10)
    assert inbox.is_full(100)
    for _ in range(25):
        assert not inbox.has_room()
        inbox.begin()
    assert inbox.has_room()


def test_full_by_bytes_until_half_of_them_were_begun() -> None:
    inbox = Inbox(Limits(queued=1000))
    assert not inbox.is_full(5000)  # of a message that has not come to its end
    for size in (10, 10, 10, 10, 480, 480):
        inbox.append(Delivery([b"connection", b"", b"x" * size], time.monotonic()))
    assert inbox.is_full(1000)
    has_room = []
    while inbox:
        inbox.begin()
        has_room.append(inbox.has_room())
    assert has_room == [False] * 4 + [True, True]


def test_bytes_of_what_was_begun_long_ago_do_not_count() -> None:
    inbox = filled(2, queued=1000)
    for number in range(1000):
        inbox.append(delivery(b"%d" % number))
        assert not inbox.is_full(20)
        inbox.begin()


# What is taken back.


def test_what_is_taken_back_is_not_begun_and_the_rest_in_order() -> None:
    inbox = filled(10)
    for taken_back in (b"3", b"0", b"1", b"9", b"another"):
        inbox.take_back(taken_back)
    assert ids(inbox.begin() for _ in range(6)) == [b"2", b"4", b"5", b"6", b"7", b"8"]
    assert not inbox


def test_first_is_always_one_to_run() -> None:
    inbox = filled(3)
    inbox.take_back(b"1")
    assert ids([inbox.begin(), inbox[0]]) == [b"0", b"2"]
    inbox.take_back(b"2")
    assert not inbox


@pytest.mark.parametrize("count", [1, 10])
def test_what_is_given_up_holds_nothing(count: int) -> None:
    inbox = filled(count)
    given_up = [weakref.ref(one) for one in inbox]
    for one in inbox:
        one.reply = partial(print, one)
    del one
    gc.disable()
    try:
        inbox.take_back(b"0")
        assert given_up[0]() is None
        inbox.drop()
        assert not any(one() for one in given_up)
    finally:
        gc.enable()


@pytest.mark.parametrize("others", [0, 1, 100])
def test_id_that_was_taken_back_may_come_again(others: int) -> None:
    inbox = filled(others)
    for _ in range(3):
        inbox.append(delivery(b"again"))
        inbox.take_back(b"again")
    inbox.append(delivery(b"again"))
    begun = []
    while inbox:
        begun.append(inbox.begin())
    assert ids(begun) == [b"%d" % number for number in range(others)] + [b"again"]


@pytest.mark.parametrize("order", [1, -1])
def test_to_take_back_many_one_by_one_is_cheap(order: int, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    is_taken_back = Inbox._is_taken_back

    def counted(inbox: Inbox, delivery: Delivery, number: int) -> bool:
        looks.append(number)
        return is_taken_back(inbox, delivery, number)

    monkeypatch.setattr(Inbox, "_is_taken_back", counted)
    inbox = filled(2000)
    for number in range(2000)[::order]:
        inbox.take_back(b"%d" % number)
        inbox.take_back(b"unknown %d" % number)
    assert not inbox
    assert len(looks) < 20 * 2000


def test_limit_counts_what_runs() -> None:
    inbox = Inbox(Limits(in_flight=2))
    inbox.extend(delivery(b"%d" % number) for number in range(3))
    begun = [inbox.begin()]
    assert not inbox.is_at_limit
    begun.append(inbox.begin())
    assert inbox.is_at_limit
    stopped = inbox.stop({b"0", b"2"})
    assert [one.is_cancelled for one in begun] == [True, False]
    assert stopped == {begun[0]}
    assert not inbox.stop({b"0"})
    assert inbox.is_at_limit  # it keeps its place for a moment
    inbox.running -= stopped
    assert not inbox.is_at_limit


def test_those_that_run_are_given_up_some_at_a_time() -> None:
    inbox = Inbox(Limits())
    inbox.extend(delivery(b"%d" % number) for number in range(5))
    begun = [inbox.begin() for _ in range(5)]
    assert inbox.give_up(3)
    assert [one.is_cancelled for one in begun].count(True) == 3
    assert not inbox.give_up(3)
    assert all(one.is_cancelled for one in begun)


IFACE = "com.foo.slow"


@interface(IFACE)
class Slow(pycom.Service):
    def __init__(self) -> None:
        self.began = self.cancelled = 0

    @method
    async def hold(self, request: Request) -> None:
        self.began += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    @method
    async def quick(self, request: Request) -> str:
        return "done"


def test_one_client_with_many_slow_calls_overloads_nobody(make_runtime: MakeRuntime) -> None:
    slow = Slow()
    runtime = make_runtime(transport=("zmtp",), max_in_flight=20)
    with running(ServiceServer(["tcp://127.0.0.1:*"], [slow], runtime)) as server:
        other = Context(runtime=runtime).connect(server.addresses[0], IFACE)
        with Client(plain(server.addresses[0])) as many:
            many.sock.settimeout(0.5)
            request = b"".join(
                bytes(b) for b in many.connection.encode([b"1", b"", *payload(IFACE, "hold")])
            )
            with contextlib.suppress(TimeoutError):  # so much waits in the connection
                many.send_bytes(request * 100_000)
            until(lambda: slow.began == 10)
            for _ in range(20):
                assert other.invoke("quick", timeout=helpers.PATIENCE * 1000) == "done"
            assert slow.began == 10
        until(lambda: slow.cancelled == 10 and not server.in_flight)
