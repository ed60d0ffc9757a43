"""Signals and services: which of them end one, how, and what is left to the application."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import helpers
import pytest
from helpers import is_registered

import pycom
from pycom_core import Runtime

LOOPS = ["asyncio", *(["uvloop"] if importlib.util.find_spec("uvloop") else [])]
#: ms; longer than an orderly end takes.
FOREVER = "600000"

Start = Callable[..., helpers.Service]


@pytest.fixture(autouse=True, scope="module")
def _default_signals() -> Iterator[None]:
    """Processes inherit which signals are ignored, as SIGHUP is under nohup."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def nameserver() -> Iterator[helpers.Service]:
    """One for all the tests."""
    with helpers.Processes() as processes:
        yield processes.nameserver()


@pytest.fixture
def start(processes: helpers.Processes) -> Start:
    """Starts the service."""

    def start(**options: Any) -> helpers.Service:
        options.setdefault("PYCOM_DRAIN_TIMEOUT", FOREVER)
        return processes.service("signal_services", **options)

    return start


def connected(runtime: Runtime, service: helpers.Service) -> Any:
    return pycom.Context(runtime=runtime).connect(service.address, "test.signals")


def begin_to_sleep(runtime: Runtime, service: helpers.Service, dealer: helpers.Dealer) -> None:
    """Have an async method wait, for half a second; it does so on return."""
    dealer.begin("test.signals", "sleep", {"seconds": 0.5})
    service.wait_for("sleeping")
    connected(runtime, service).invoke("echo", {"value": 1})


# What ends a service. SIGTERM and SIGINT are in test_life.py as well.


def test_sighup_ends_it_in_order(start: Start, nameserver: helpers.Service) -> None:
    service = start(nameserver=nameserver)
    assert service.stop(signal.SIGHUP) == 0
    assert f"Service {service.name} stops: SIGHUP" in service.output
    assert not is_registered(nameserver, service.name)


def test_it_goes_on_after_the_terminal_has_gone_with_nohup(start: Start, runtime: Runtime) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        service = start()
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    service.signal(signal.SIGHUP)
    assert connected(runtime, service).invoke("echo", {"value": 1}) == 1
    assert service.stop() == 0


@pytest.mark.parametrize("numbers", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, 15)])
def test_signals_at_once_are_one(
    start: Start, runtime: Runtime, nameserver: helpers.Service, numbers: tuple[int, ...]
) -> None:
    service = start(nameserver=nameserver)
    with helpers.Dealer(service.address) as dealer:
        begin_to_sleep(runtime, service, dealer)
        for number in numbers:
            service.signal(number)
        assert dealer.end()["code"] == 0
    assert service.wait() == 0
    assert not is_registered(nameserver, service.name)


def test_it_ends_in_order_under_timeout(
    processes: helpers.Processes, nameserver: helpers.Service
) -> None:
    """timeout(1) sends its signal to the process, and to the group."""
    timeout = processes.program(
        *("setsid", "timeout", "600"),  # in a session of its own, or the group were the tests'
        *(helpers.script("pycom"), "run", "-a", helpers.ANY_PORT, "-n", nameserver.address),
        *("-s", "/timed", "signal_services"),
    )
    nameserver.wait_for("Registered /timed at")
    timeout.signal(signal.SIGTERM)
    assert timeout.wait() == 0, timeout.output
    assert not is_registered(nameserver, "/timed")


def test_a_later_signal_ends_it_at_once(start: Start, nameserver: helpers.Service) -> None:
    service = start(nameserver=nameserver, SAME_REQUEST="0")
    with helpers.Dealer(service.address) as dealer:
        dealer.begin("test.signals", "hold_in_c")
        service.wait_for("holding")
        service.signal(signal.SIGINT)
        service.wait_for("stops: SIGINT")
        service.signal(signal.SIGINT)
        assert service.wait() == 1
    assert "SIGINT again" in service.output
    assert not is_registered(nameserver, service.name)


@pytest.mark.parametrize("handled", ["", "SIGTERM"])
def test_a_method_that_nothing_interrupts_delays_the_end_up_to_its_bound(
    start: Start, runtime: Runtime, nameserver: helpers.Service, handled: str
) -> None:
    service = start(nameserver=nameserver, PYCOM_DRAIN_TIMEOUT="100", PYCOM_EVENT_LOOP="asyncio")
    if handled:
        connected(runtime, service).invoke("handle_on_loop", {"name": handled})
    with helpers.Dealer(service.address) as dealer:
        dealer.begin("test.signals", "hold_in_c")
        service.wait_for("holding")
        assert service.stop() == 1
    assert "A method did not end in time" in service.output
    assert not is_registered(nameserver, service.name)


# Handlers of the application.


@pytest.mark.parametrize("loop", LOOPS)
def test_handlers_run_and_do_not_end_it(start: Start, runtime: Runtime, loop: str) -> None:
    ways = {
        "module": ["SIGCHLD", "SIGUSR1"],
        "handle": ["SIGALRM", "SIGPROF"],
        "handle_on_loop": ["SIGWINCH", "SIGUSR2"],
    }
    service = start(HANDLE=" ".join(ways["module"]), PYCOM_EVENT_LOOP=loop)
    component = connected(runtime, service)
    for way, names in ways.items():
        for name in names:
            if way != "module":
                component.invoke(way, {"name": name})
            service.signal(signal.Signals[name])
            service.wait_for(f"handled {name}")
    component.invoke("tick", {"seconds": 0.01})
    ticks = service.output.count("handled SIGALRM")
    service.wait_for("handled SIGALRM", ticks + 10)
    with helpers.Dealer(service.address) as dealer:
        begin_to_sleep(runtime, service, dealer)
        service.signal(signal.SIGTERM)
        assert dealer.end()["code"] == 0
    assert service.wait() == 0


@pytest.mark.parametrize("loop", LOOPS)
def test_a_thread_may_wait_for_a_signal(start: Start, runtime: Runtime, loop: str) -> None:
    service = start(WAIT_FOR="SIGUSR1", PYCOM_EVENT_LOOP=loop)
    for count in range(1, 4):
        service.signal(signal.SIGUSR1)
        service.wait_for("handled SIGUSR1", count)
    assert connected(runtime, service).invoke("echo", {"value": 1}) == 1
    assert service.stop() == 0


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("way", ["module", "handle", "handle_on_loop"])
def test_a_handler_of_sigterm_runs_and_does_not_keep_it_from_ending(
    start: Start, runtime: Runtime, nameserver: helpers.Service, loop: str, way: str
) -> None:
    handle = "SIGTERM" if way == "module" else ""
    service = start(nameserver=nameserver, HANDLE=handle, PYCOM_EVENT_LOOP=loop)
    if way != "module":
        connected(runtime, service).invoke(way, {"name": "SIGTERM"})
    assert service.stop() == 0
    assert "handled SIGTERM" in service.output
    assert not is_registered(nameserver, service.name)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_a_handler_that_exits_ends_it_in_order(
    start: Start, runtime: Runtime, nameserver: helpers.Service, loop: str, name: str
) -> None:
    service = start(nameserver=nameserver, EXIT_AT=name, PYCOM_EVENT_LOOP=loop)
    with helpers.Dealer(service.address) as dealer:
        begin_to_sleep(runtime, service, dealer)
        service.signal(signal.Signals[name])
        assert dealer.end()["code"] == 0
    assert service.wait() == 7
    assert not is_registered(nameserver, service.name)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("at", "name", "status"),
    [("EXIT_AT", "SIGTERM", 7), ("EXIT_AT", "SIGUSR1", 7), ("INTERRUPT_AT", "SIGUSR1", 0)],
)
def test_a_method_that_a_handler_breaks_off_is_answered_and_logged(
    start: Start, loop: str, at: str, name: str, status: int
) -> None:
    service = start(PYCOM_EVENT_LOOP=loop, **{at: name})
    with helpers.Dealer(service.address) as dealer:
        dealer.begin("test.signals", "hold")
        service.wait_for("holding")
        service.signal(signal.Signals[name])
        assert dealer.end() == {"code": 1, "error": "Unknown error during request"}
    assert service.wait() == status
    assert "test.signals.hold failed\nTraceback" in service.output
    assert f"Service {service.name} stops: " in service.output


@pytest.mark.parametrize("loop", LOOPS)
def test_the_log_says_why_it_ends(start: Start, runtime: Runtime, loop: str) -> None:
    service = start(EXIT_AT="SIGUSR1", PYCOM_EVENT_LOOP=loop)
    assert connected(runtime, service).invoke("echo", {"value": 1}) == 1
    service.signal(signal.SIGUSR1)
    assert service.wait() == 7
    assert f"Service {service.name} stops: SystemExit(7)" in service.output
    assert "in end\n" in service.output


@pytest.mark.parametrize("loop", LOOPS)
def test_a_handler_on_the_loop_that_exits_ends_it_in_order(
    start: Start, runtime: Runtime, loop: str
) -> None:
    service = start(PYCOM_EVENT_LOOP=loop)
    connected(runtime, service).invoke("end_on_loop", {"name": "SIGUSR1"})
    with helpers.Dealer(service.address) as dealer:
        begin_to_sleep(runtime, service, dealer)
        service.signal(signal.SIGUSR1)
        assert dealer.end()["code"] == 0
    assert service.wait() == 7
    assert f"Service {service.name} stops: SystemExit(7)" in service.output


@pytest.mark.parametrize("way", ["leave_to_default", "take_descriptor"])
def test_the_end_is_not_taken_away(
    start: Start, runtime: Runtime, nameserver: helpers.Service, way: str
) -> None:
    service = start(nameserver=nameserver, PYCOM_EVENT_LOOP="asyncio")
    args = {"name": "SIGTERM"} if way == "leave_to_default" else {}
    connected(runtime, service).invoke(way, args)
    assert service.stop() == 0
    assert not is_registered(nameserver, service.name)


# Children.


@pytest.fixture(scope="module", params=LOOPS)
def parent(
    request: pytest.FixtureRequest, nameserver: helpers.Service
) -> Iterator[helpers.Service]:
    """A service for all these tests: none of its children may do it any harm."""
    with helpers.Processes() as processes:
        service = processes.service(
            "signal_services", nameserver=nameserver, PYCOM_EVENT_LOOP=request.param
        )
        yield service
        assert is_registered(nameserver, service.name)
        assert service.stop() == 0
        assert not is_registered(nameserver, service.name)


@pytest.fixture
def component(parent: helpers.Service, runtime: Runtime) -> Iterator[Any]:
    component = connected(runtime, parent)
    yield component
    assert component.invoke("echo", {"value": 1}) == 1


def test_a_pool_in_a_method_ends_without_the_service(component: Any) -> None:
    for _ in range(3):
        assert component.invoke("map", {"values": [-1, 2]}) == [1, 2]


def test_a_child_can_be_terminated_from_its_first_moment(component: Any) -> None:
    assert [component.invoke("terminated") for _ in range(20)] == [-signal.SIGTERM] * 20


def test_a_child_inherits_nothing_of_ours(parent: helpers.Service, component: Any) -> None:
    found = component.invoke("inherited")
    assert parent.address.rpartition(":")[2] not in found.pop("names")
    assert found == {"handlers": True, "blocked": False, "descriptor": -1}


@pytest.mark.parametrize("ending", ["exits", "raises", "returns"])
def test_a_child_that_comes_back_from_a_method_ends(
    parent: helpers.Service, component: Any, ending: str
) -> None:
    before = parent.output.count("came back from it; it has to end by os._exit")
    assert component.invoke("raw_fork", {"ending": ending}) == 1
    parent.wait_for("came back from it; it has to end by os._exit", before + 1)


def test_a_child_of_a_worker_inherits_nothing_of_ours(start: Start, runtime: Runtime) -> None:
    service = start(PYCOM_THREADS="1")
    found = connected(runtime, service).invoke("inherited")
    assert service.address.rpartition(":")[2] not in found.pop("names")
    assert found == {"handlers": True, "blocked": False, "descriptor": -1}
    assert service.stop() == 0


def test_a_child_that_outlives_the_service_does_not_hold_its_address(
    start: Start, runtime: Runtime
) -> None:
    service = start()
    child = connected(runtime, service).invoke("child")
    try:
        service.process.kill()
        service.process.wait()
        again = start(address=service.address)
        assert connected(runtime, again).invoke("echo", {"value": 1}) == 1
    finally:
        os.kill(child, signal.SIGKILL)


# What is left behind.


def test_workers_do_not_delay_the_end(start: Start, runtime: Runtime) -> None:
    component = connected(runtime, service := start())
    component.invoke("keep", {"kind": "Pool", "busy": True})  # ends with the interpreter
    component.invoke("keep", {"kind": "ThreadPoolExecutor"})
    component.invoke("keep", {"kind": "ProcessPoolExecutor"})
    assert component.invoke("keep_default_executor") == 1
    assert service.stop() == 0
    assert "did not end" not in service.output


@pytest.mark.parametrize("kind", ["ThreadPoolExecutor", "ProcessPoolExecutor"])
def test_workers_that_do_not_end_are_left_within_the_bound(
    start: Start, runtime: Runtime, kind: str
) -> None:
    component = connected(runtime, service := start(PYCOM_DRAIN_TIMEOUT="100"))
    component.invoke("keep", {"kind": kind, "busy": True})
    assert service.stop() == 1
    assert "did not end in time" in service.output
    assert "A method" not in service.output


# A service that is not all of its program.

PROGRAM = """
import signal, sys, threading, time
import pycom, signal_services

def work():
    time.sleep(1)  # longer than the service's end may take
    print("worked", file=sys.stderr)

worker = threading.Thread(target=work)
status = pycom.main(sys.argv[1:])
worker.start()
print("handlers", *(signal.getsignal(number).name for number in (15, 1)), file=sys.stderr)
sys.exit(status)
"""


def test_a_program_goes_on_after_its_service(processes: helpers.Processes) -> None:
    arguments = ["-c", PROGRAM, "-a", helpers.ANY_PORT, "-n", "local", "signal_services"]
    program = processes.python(*arguments, PYCOM_DRAIN_TIMEOUT="0")
    program.wait_for("listens on")
    program.signal(signal.SIGTERM)
    assert program.wait() == 0, program.output
    assert "handlers SIG_DFL SIG_DFL" in program.output
    assert "worked" in program.output
