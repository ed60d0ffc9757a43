"""The requests of one client: those that wait, and those that run."""

from __future__ import annotations

import asyncio
import contextlib
import time

import helpers
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


def test_full_by_number_and_by_bytes_until_all_were_begun() -> None:
    inbox = Inbox(Limits(inbox=2, queued=1000))
    assert not inbox.is_full(5000, 1)
    inbox.append(delivery(b"1"))
    assert not inbox.is_full(999, 1)
    assert inbox.is_full(1, 1)
    inbox.begin()
    assert not inbox.is_full(1000, 1)
    inbox.append(delivery(b"2"))
    assert not inbox.is_full(10, 1)
    inbox.append(delivery(b"3"))
    assert inbox.is_full(10, 1)
    assert not inbox.is_full(10, 2)


def test_limit_counts_what_runs() -> None:
    inbox = Inbox(Limits(in_flight=2))
    inbox.extend(delivery(b"%d" % number) for number in range(3))
    begun = [inbox.begin()]
    assert not inbox.is_at_limit
    begun.append(inbox.begin())
    assert inbox.is_at_limit
    inbox.take_back({b"0"})
    assert not inbox.is_at_limit
    assert [one.is_cancelled for one in begun] == [True, False]


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
