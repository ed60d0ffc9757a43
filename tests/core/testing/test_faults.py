"""Each fault takes effect: without sockets and with them, in sync and in async calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from core.testing.world import Call, Other, Worker, async_calls, sync_calls

import pycom
from pycom_core import PycomError
from pycom_core.testing import LocalNetwork, RealNetwork
from pycom_core.testing.network import Network
from pycom_core.testing.threads import ServiceThread

#: ms; the timeout of calls that get no answer on a real network.
TIMEOUT = 1_000.0


@pytest.fixture(params=[LocalNetwork, RealNetwork])
def network(request: pytest.FixtureRequest) -> Iterator[Network]:
    with request.param() as network:
        yield network


@pytest.fixture(params=[sync_calls, async_calls])
def call(request: pytest.FixtureRequest, network: Network) -> Call:
    call: Call = request.param(network, TIMEOUT)
    return call


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def service(network: Network, worker: Worker) -> ServiceThread:
    return network.serve(worker)


@pytest.fixture
def work(service: ServiceThread, call: Call) -> Call:
    """Calls that work, so far."""
    return lambda item: call("work", {"item": item})


def test_dropped_requests_are_not_run(network: Network, worker: Worker, work: Call) -> None:
    network.faults.drop(2)
    for item in (1, 2):
        with pytest.raises(pycom.CallTimeout, match=r"No answer from tcp://.* \(a fault\)"):
            work(item)
    assert work(3) == 3
    assert worker.done == [3]


def test_requests_are_run_whose_replies_are_dropped(
    network: Network, worker: Worker, work: Call
) -> None:
    network.faults.drop_replies()
    with pytest.raises(pycom.CallTimeout):
        work(1)
    assert work(2) == 2
    assert worker.done == [1, 2]


def test_duplicated_requests_run_twice(network: Network, worker: Worker, work: Call) -> None:
    network.faults.duplicate(2)
    assert [work(item) for item in (1, 2, 3)] == [1, 2, 3]
    assert worker.done == [1, 1, 2, 2, 3]


def test_delayed_requests_take_longer(network: Network, worker: Worker, work: Call) -> None:
    network.faults.delay(TIMEOUT / 3)
    started = time.monotonic()
    assert work(1) == 1
    assert time.monotonic() - started >= TIMEOUT / 3 / 1000


def test_requests_that_are_delayed_too_long_are_not_run(
    network: Network, worker: Worker, work: Call
) -> None:
    network.faults.delay(TIMEOUT)
    with pytest.raises(pycom.CallTimeout):
        work(1)
    network.faults.delay(0)
    assert work(2) == 2
    assert worker.done == [2]


def test_peer_that_is_cut_off_cannot_be_reached(
    network: Network, service: ServiceThread, worker: Worker, work: Call
) -> None:
    network.faults.cut(service)
    for _ in range(2):
        with pytest.raises(pycom.CallTimeout):
            work(1)
    network.faults.heal(service)
    assert work(2) == 2
    assert worker.done == [2]


def test_peer_that_is_cut_off_reaches_nobody(
    network: Network, service: ServiceThread, call: Call
) -> None:
    other = network.serve(Other())
    network.faults.cut(other)
    arguments = {"interface": "com.foo.other", "item": 1}
    for _ in range(2):
        with pytest.raises(PycomError):
            call("pass_on", arguments)
    with pytest.raises(pycom.ServiceNotAvailable):
        call("work", {"item": 1}, "com.foo.other")
    network.faults.heal(other)
    assert call("pass_on", arguments) == 1

    network.faults.cut(network.nameserver)
    with pytest.raises((pycom.ServiceNotFound, pycom.ServiceNotAvailable)):
        call("work", {"item": 1}, "com.foo.nobody")


def test_reply_is_lost_when_its_sender_is_cut_off(
    network: Network, service: ServiceThread, worker: Worker, call: Call
) -> None:
    outcome: list[Any] = []

    def ask() -> None:
        with pytest.raises(pycom.CallTimeout) as caught:
            call("take_long")
        outcome.append(caught.value)

    asking = threading.Thread(target=ask)
    asking.start()
    assert worker.began.wait(30)
    network.faults.cut(service)
    worker.may_end.set()
    asking.join()
    assert len(outcome) == 1


def test_faults_of_one_peer_leave_others_alone(
    network: Network, service: ServiceThread, worker: Worker, call: Call
) -> None:
    other = Other()
    for fault in (network.faults.drop, network.faults.drop_replies, network.faults.duplicate):
        fault(to=network.serve(other, name="/other"))  # type: ignore[operator]
        call("work", {"item": 1})
        network.faults.heal()
        network.kill(network._services[-1])
        network.advance(61)
    assert worker.done == [1, 1, 1]


def test_finding_a_service_is_no_call_of_one(network: Network, service: ServiceThread) -> None:
    network.faults.drop()
    component = network.context(timeout=TIMEOUT).locate("com.foo.worker")
    with pytest.raises(pycom.CallTimeout):
        component.invoke("work", {"item": 1})
    network.faults.drop(to=network.nameserver)
    with pytest.raises(pycom.ServiceNotFound, match="No nameserver answers"):
        network.context(timeout=TIMEOUT).locate("com.foo.worker")


def test_everything_heals(network: Network, worker: Worker, work: Call) -> None:
    faults = network.faults
    faults.drop(5)
    faults.drop_replies(5)
    faults.duplicate(5)
    faults.delay(10_000)
    faults.cut(network.nameserver)
    faults.heal()
    assert work(1) == 1
    assert worker.done == [1]


def test_one_address_heals(network: Network, service: ServiceThread, work: Call) -> None:
    network.faults.cut(network.nameserver.address)
    network.faults.cut(service.address)
    network.faults.drop(5, to=service.address)
    network.faults.heal(service.address)
    network.faults.heal(network.nameserver.address)
    assert work(1) == 1


def test_nobody_waits_without_sockets() -> None:
    with LocalNetwork() as network:
        network.serve(Worker)
        call = sync_calls(network, timeout=3_600_000)
        network.faults.drop()
        with pytest.raises(pycom.CallTimeout):
            call("work", {"item": 1})


def test_a_real_network_waits_in_vain() -> None:
    with RealNetwork() as network:
        network.serve(Worker)
        call = sync_calls(network, TIMEOUT)
        network.faults.drop()
        started = time.monotonic()
        with pytest.raises(pycom.CallTimeout):
            call("work", {"item": 1})
        assert time.monotonic() - started >= TIMEOUT / 1000


def test_abort_reaches_the_channel_behind(network: Network, service: ServiceThread) -> None:
    channel: Any = network.context().pool.borrow(service.address)
    aborted: list[str] = []
    channel._inner = SimpleNamespace(abort=lambda: aborted.append("aborted"))
    channel.abort()
    assert aborted == ["aborted"]
