"""The life of services and clients, in processes of their own: start, waiting, failure, end."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import helpers
import pytest
import zmq

import pycom
import zerojson
from pycom_core import Runtime, Settings

#: s that a busy machine may add to what is asked for.
SLACK = 4.0
#: An address without a listener: TCP's discard port, which only root may bind.
NOBODY = "tcp://127.0.0.1:9"
#: Both sides watch the deadline; whichever notices first says so.
TIMED_OUT = (pycom.CallTimeout, pycom.DeadlineExceeded)


class Gate:
    """A FIFO that `hold` waits at."""

    def __init__(self, directory: Path) -> None:
        self.path = str(directory / "gate")
        os.mkfifo(self.path)

    def open(self) -> None:
        """Let the one who holds go on."""
        flags = os.O_WRONLY | os.O_NONBLOCK  # fails as long as nobody reads
        descriptor = helpers.eventually(lambda: os.open(self.path, flags), OSError)
        os.write(descriptor, b"released")
        os.close(descriptor)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


@pytest.fixture
def calls() -> Iterator[Executor]:
    """Runs calls that wait, in threads."""
    with ThreadPoolExecutor() as executor:
        yield executor


def context_of(runtime: Runtime, nameserver: helpers.Service, **options: Any) -> pycom.Context:
    return pycom.Context(nameserver.address, runtime=runtime, **options)


def connected(runtime: Runtime, service: helpers.Service, iface: str = "test.life") -> Any:
    return pycom.Context(runtime=runtime).connect(service.address, iface)


def found(context: pycom.Context) -> str:
    """Return the registered address of the service that is found."""
    use = context.locate("test.life")._use
    assert use is not None
    return use.record.address


def seconds_of(action: Callable[[], Any]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


# Timeouts.


@pytest.mark.parametrize("arguments", [[], ["--threads", "1"], ["--threads", "auto"]], ids=" ".join)
def test_what_timed_out_is_not_run_later(
    processes: helpers.Processes, runtime: Runtime, gate: Gate, arguments: list[str]
) -> None:
    service = processes.service("life_services", arguments=arguments)
    component = connected(runtime, service)

    def held() -> None:
        with pytest.raises(TIMED_OUT):
            component.invoke("hold", {"gate": gate.path}, timeout=200)

    def queued() -> None:
        with pytest.raises(TIMED_OUT):
            component.invoke("note", {"text": "too late"}, timeout=200)

    assert 0.2 <= seconds_of(held) < 0.2 + SLACK
    # It waits behind the one that holds, and must be forgotten there.
    assert 0.2 <= seconds_of(queued) < 0.2 + SLACK
    outwait(component)
    gate.open()
    assert component.invoke("noted") == []
    component.invoke("note", {"text": "in time"})
    assert component.invoke("noted") == ["in time"]


def outwait(component: Any) -> None:
    """Time out later than a request of 200 ms, of whose age the server knows a little less."""
    with pytest.raises(TIMED_OUT):
        component.invoke("echo", {"value": None}, timeout=300)


def test_what_waits_without_a_deadline_is_run(
    processes: helpers.Processes, runtime: Runtime, gate: Gate
) -> None:
    """Clients of 0.6.0 send no deadline."""
    service = processes.service("life_services")
    with helpers.Dealer(service.address) as holding, helpers.Dealer(service.address) as waiting:
        holding.begin("test.life", "hold", {"gate": gate.path})
        service.wait_for("holding")
        waiting.begin("test.life", "note", {"text": "patient"})
        gate.open()
        assert holding.end()["result"] == "released"
        assert waiting.end()["code"] == 0
    assert connected(runtime, service).invoke("noted") == ["patient"]


def test_an_async_method_is_cancelled_at_its_deadline(
    processes: helpers.Processes, runtime: Runtime, gate: Gate
) -> None:
    service = processes.service("life_services")
    component = connected(runtime, service)
    with pytest.raises(TIMED_OUT):
        component.invoke("hold_async", {"gate": gate.path}, timeout=200)
    service.wait_for("cancelled")
    assert component.invoke("echo", {"value": 1}) == 1


def test_async_methods_run_concurrently(
    processes: helpers.Processes, runtime: Runtime, gate: Gate
) -> None:
    service = processes.service("life_services")
    with helpers.Dealer(service.address) as dealer:
        dealer.begin("test.life", "hold_async", {"gate": gate.path})
        service.wait_for("holding")
        assert connected(runtime, service).invoke("echo", {"value": 1}) == 1
        gate.open()
        assert dealer.end()["result"] == "released"


def test_nobody_listens(runtime: Runtime) -> None:
    component = pycom.Context(runtime=runtime).connect(NOBODY, "test.life")
    with pytest.raises(pycom.ServiceNotAvailable):
        component.invoke("echo", {"value": 1}, timeout=100)
    with pytest.raises(pycom.ServiceNotFound):
        pycom.Context(NOBODY, runtime=runtime, timeout=100).locate("test.life")


@pytest.mark.parametrize("kind", [zmq.REQ, zmq.DEALER])
def test_a_socket_of_the_users_own_works_on_after_a_timeout(
    processes: helpers.Processes, gate: Gate, kind: int
) -> None:
    service = processes.service("life_services")
    with helpers.Dealer(service.address, kind) as own:
        component = zerojson.Client(own.socket, "test.life")
        with pytest.raises(TIMED_OUT):
            component.invoke("hold", {"gate": gate.path}, timeout=200)
        with pytest.raises(TIMED_OUT):
            component.invoke("note", {"text": "too late"}, timeout=200)
        outwait(component)
        gate.open()
        assert component.invoke("noted") == []
        assert component.invoke("echo", {"value": "late answers are not mine"}) != "released"


def test_a_plain_req_socket(processes: helpers.Processes) -> None:
    """The clients of 0.6.0 are such: the delimiter is the socket's own."""
    service = processes.service("vector_services")
    with helpers.Dealer(service.address, zmq.REQ) as client:
        for value in range(3):
            client.send(
                b"CALL",
                b'{"interface": "com.foo.example", "method": "bar", '
                b'"args": {"name": "x", "value": %d}}' % value,
            )
            assert helpers.answer_in(client.receive())["result"] == {"x": value}


# What methods raise.


@pytest.mark.parametrize("arguments", [[], ["--threads", "1"]], ids=" ".join)
def test_nothing_that_a_method_raises_ends_its_service(
    processes: helpers.Processes, runtime: Runtime, arguments: list[str]
) -> None:
    # With one place in flight: whoever keeps it would be the last.
    service = processes.service("raising_services", arguments=arguments, PYCOM_MAX_IN_FLIGHT="2")
    component = connected(runtime, service, "test.raising")
    failures = 0
    for name in ("sync", "later", "task", "nested", "promised"):
        for how in (
            "exit",
            "usage",
            "KeyboardInterrupt",
            "GeneratorExit",
            "StopIteration",
            "CancelledError",
            "Timeout",
        ):
            with pytest.raises(pycom.RemoteError, match="Unknown error") as caught:
                component.invoke(name, {"how": how})
            assert caught.value.code == 1
            failures += 1
            service.wait_for(r"ERROR pycom: test\.raising\.\w+ failed\n", failures)
            assert component.invoke("echo", {"value": how}) == how
    assert service.stop() == 0


# Calls within one process.


@pytest.mark.parametrize("threads", ["0", "1", "2", "auto"])
@pytest.mark.parametrize("where", ["elsewhere", "local"])
def test_a_service_calls_interfaces_of_its_own_process(
    processes: helpers.Processes, runtime: Runtime, calls: Executor, where: str, threads: str
) -> None:
    arguments = ["--threads", threads, "-v"]
    if where == "local":
        service = processes.service("pycom.apps.nameserver", "life_services", arguments=arguments)
        service.wait_for(f"Registered {service.name} at")
    else:
        nameserver = processes.nameserver()
        service = processes.service("life_services", nameserver=nameserver, arguments=arguments)
    relay = connected(runtime, service, "test.relay")

    def through(*ways: str) -> Any:
        """Have the relay call itself in these ways, and at last what echoes the value."""
        target = {"interface": "test.life", "method": "echo", "value": {"value": ways}}
        for way in reversed(ways[1:]):
            target = {"interface": "test.relay", "method": way, "value": target}
        return relay.invoke(ways[0], target)

    chains = [("sync",), ("async",), ("sync", "sync"), ("async", "async"), ("sync", "async")]
    chains += [("async", "sync"), ("sync", "async", "sync"), ("async", "sync", "async")]
    for ways in chains:
        assert through(*ways) == list(ways)
    for way in ("sync", "async"):
        args = {"interface": "test.relay", "method": "echo", "value": {"value": "from async"}}
        assert relay.invoke(way, args) == "from async"
    results = calls.map(lambda ways: through(*ways), chains * 5)
    assert list(results) == list(map(list, chains * 5))


def test_a_nameserver_in_the_process_of_a_service(
    processes: helpers.Processes, runtime: Runtime
) -> None:
    both = processes.service("pycom.apps.nameserver", "vector_services", arguments=["-s", "/both"])
    context = context_of(runtime, both)
    component = helpers.eventually(lambda: context.locate("com.foo.example"))
    assert component.invoke("bar", {"name": "x"}) == {"x": None}
    other = processes.service("life_services", arguments=["-n", both.address, "-s", "/other"])
    helpers.eventually(lambda: context.locate("test.life"))
    listed = context.nameserver().invoke("list_services")
    assert sorted((item["service"], item["address"]) for item in listed) == [
        ("/both", both.address),
        ("/other", other.address),
    ]
    assert other.stop() == 0
    assert both.stop() == 0


# Registration.


def test_a_service_unregisters_when_it_stops(
    processes: helpers.Processes, nameserver: helpers.Service, runtime: Runtime
) -> None:
    service = processes.service("life_services", nameserver=nameserver)
    context = context_of(runtime, nameserver)
    context.locate("test.life")
    assert service.stop() == 0
    with pytest.raises(pycom.ServiceNotFound):
        context.locate("test.life")


def test_a_long_method_does_not_lose_the_registration(
    processes: helpers.Processes, runtime: Runtime, gate: Gate
) -> None:
    nameserver = processes.service("short_leases_nameserver", arguments=["-v"])
    service = processes.service("short_leases", nameserver=nameserver)
    context = context_of(runtime, nameserver)
    with helpers.Dealer(service.address) as dealer:
        dealer.begin("test.life", "hold", {"gate": gate.path})
        service.wait_for("holding")
        # Two leases pass, of a second each.
        known, ends = nameserver.output.count(service.address), time.monotonic() + 2
        while time.monotonic() < ends:
            known += 1
            nameserver.wait_for(f"Registered {service.name} at", known)
        assert found(context) == service.address
        gate.open()
        assert dealer.end()["result"] == "released"
    # The leases are as short as that indeed: one that dies is forgotten.
    service.kill()

    def forgotten() -> None:
        with pytest.raises(pycom.ServiceNotFound):
            context.locate("test.life")

    helpers.eventually(forgotten, pytest.fail.Exception)


def test_a_dead_replica_does_not_keep_the_others_from_being_renewed(
    processes: helpers.Processes, runtime: Runtime
) -> None:
    nameserver = processes.service("short_leases_nameserver", arguments=["-v"])
    flags = ["-n", nameserver.address, "-n", NOBODY]
    service = processes.service("short_leases", arguments=flags)
    nameserver.wait_for(f"Registered {service.name} at", 10)
    assert found(context_of(runtime, nameserver)) == service.address


def test_a_name_is_not_taken_over(
    processes: helpers.Processes, nameserver: helpers.Service
) -> None:
    processes.service("life_services", nameserver=nameserver, arguments=["-s", "/one"])
    arguments = ["-m", "pycom", "-a", helpers.ANY_PORT, "-n", nameserver.address, "-s", "/one"]
    second = processes.python(*arguments, "vector_services")
    assert second.wait() == 1
    assert "error 5" in second.output


# The end of a process.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("threads", "doing"),
    [("0", "nothing"), ("0", "hold"), ("0", "hold_async"), ("1", "nothing"), ("1", "hold")],
)
def test_a_signal_ends_a_service_in_time(
    processes: helpers.Processes, gate: Gate, number: int, threads: str, doing: str
) -> None:
    """A method that never ends gets the time that `drain_timeout` allows."""
    settings = {"PYCOM_DRAIN_TIMEOUT": "300", "PYCOM_THREADS": threads}
    nameserver = processes.nameserver()
    service = processes.service("life_services", nameserver=nameserver, **settings)
    with helpers.Dealer(service.address) as dealer:
        if doing != "nothing":
            dealer.begin("test.life", doing, {"gate": gate.path})
            service.wait_for("holding")
        assert seconds_of(lambda: service.stop(number)) < 0.3 + 2 + SLACK
    assert service.process.returncode == (1 if doing == "hold" else 0)
    with helpers.Dealer(nameserver.address) as dealer:
        found = dealer.call("org.pycom.nameserver", "locate", {"interface": "test.life"})
    assert found["code"] == 3
    assert seconds_of(lambda: nameserver.stop(number)) < 2 + SLACK
    assert nameserver.process.returncode == 0


@pytest.mark.parametrize(("threads", "method"), [("0", "hold"), ("0", "hold_async"), ("1", "hold")])
def test_what_runs_at_the_signal_is_answered(
    processes: helpers.Processes, gate: Gate, threads: str, method: str
) -> None:
    service = processes.service("life_services", PYCOM_THREADS=threads)
    with helpers.Dealer(service.address) as dealer:
        dealer.begin("test.life", method, {"gate": gate.path})
        service.wait_for("holding")
        service.signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            service.process.wait(0.5)
        gate.open()
        assert dealer.end()["result"] == "released"
    assert service.wait() == 0


@pytest.mark.parametrize("_round", range(3))
def test_a_large_answer_at_the_signal_arrives(
    processes: helpers.Processes, runtime: Runtime, gate: Gate, calls: Executor, _round: int
) -> None:
    service = processes.service("life_services")
    component = connected(runtime, service)
    call = calls.submit(component.invoke, "hold_and_send", {"gate": gate.path})
    service.wait_for("holding")
    service.signal(signal.SIGTERM)
    gate.open()
    _result, attachment = call.result()
    assert len(attachment) == 10**7
    assert service.wait() == 0


@pytest.mark.parametrize("before", ["it was registered", "it could register"])
def test_a_nameserver_that_is_gone_does_not_hold_up_the_end(
    processes: helpers.Processes, before: str
) -> None:
    if before == "it was registered":
        nameservers = [processes.nameserver() for _ in range(3)]
        flags = [flag for each in nameservers for flag in ("-n", each.address)]
        service = processes.service("life_services", arguments=flags)
        for nameserver in nameservers:
            nameserver.wait_for(f"Registered {service.name}")
            nameserver.kill()
    else:
        service = processes.service("life_services", arguments=["-n", NOBODY] * 3)
        service.wait_for("Could not register")
    assert seconds_of(service.stop) < 2 + SLACK
    assert service.process.returncode == 0


def test_answers_that_nobody_reads_do_not_hold_up_the_end(processes: helpers.Processes) -> None:
    service = processes.service("life_services")
    with helpers.Dealer(service.address) as dealer:
        dealer.socket.setsockopt(zmq.RCVHWM, 1)
        for _ in range(10):
            dealer.begin("test.life", "large")
        with helpers.Dealer(service.address) as other:
            assert other.call("test.life", "echo", {"value": 1})["result"] == 1
        assert seconds_of(service.stop) < 2 + SLACK
    assert service.process.returncode == 0


@pytest.mark.parametrize(
    "code",
    [
        "component.invoke('echo', {'value': 1}, timeout=100)",
        "context.locate('test.life')",
        "import threading\n"
        "for _ in range(3):\n"
        "    threading.Thread(target=component.invoke, args=['echo'], daemon=True).start()\n"
        "raise RuntimeError",
    ],
)
def test_requests_that_nobody_takes_do_not_hold_up_the_end(
    processes: helpers.Processes, code: str
) -> None:
    client = processes.python(
        "-c",
        "import pycom\n"
        f"context = pycom.Context({NOBODY!r}, timeout=100)\n"
        f"component = context.connect({NOBODY!r}, 'test.life')\n" + code,
    )
    assert seconds_of(client.wait) < 2 + SLACK
    assert client.process.returncode == 1  # by the exception
    assert "Traceback" in client.output


# Clients.


FORKING = """
import os, sys, threading
import pycom

context = pycom.Context(sys.argv[1])
component = context.locate("test.life")
assert component.invoke("echo", {"value": "before"}) == "before"
ended = threading.Event()

def call_meanwhile():
    while not ended.is_set():
        with pycom.Context(sys.argv[1]).locate("test.life") as component:
            assert component.invoke("echo", {"value": 1}) == 1

threads = [threading.Thread(target=call_meanwhile) for _ in range(int(sys.argv[2]))]
for thread in threads:
    thread.start()
for _ in range(20):
    child = os.fork()
    for _ in range(5):
        assert component.invoke("echo", {"value": os.getpid()}) == os.getpid()
        with context.locate("test.life") as located:
            assert located.invoke("echo", {"value": os.getpid()}) == os.getpid()
    if not child:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
ended.set()
for thread in threads:
    thread.join()
print("all called")
"""


@pytest.mark.parametrize("threads", [0, 4])
def test_a_context_survives_a_fork(
    processes: helpers.Processes, nameserver: helpers.Service, threads: int
) -> None:
    processes.service("life_services", nameserver=nameserver)
    client = processes.python("-c", FORKING, nameserver.address, str(threads))
    assert client.wait() == 0, client.output
    assert "all called" in client.output


def test_contexts_survive_forks_and_spawns_while_they_are_used(
    processes: helpers.Processes, nameserver: helpers.Service
) -> None:
    processes.service("life_services", nameserver=nameserver)
    client = processes.python("forking_client.py", NAMESERVER=nameserver.address)
    assert client.wait() == 0, client.output
    assert "all called" in client.output


def test_threads_share_a_context(
    processes: helpers.Processes, nameserver: helpers.Service, runtime: Runtime
) -> None:
    processes.service("life_services", nameserver=nameserver)
    context = context_of(runtime, nameserver)
    shared = context.locate("test.life")
    together = threading.Barrier(32)

    def ask(number: int) -> None:
        together.wait()
        for turn in range(20):
            assert shared.invoke("echo", {"value": [number, turn]}) == [number, turn]
            with context.locate("test.life") as own:
                assert own.invoke("echo", {"value": [turn, number]}) == [turn, number]

    with ThreadPoolExecutor(32) as executor:
        list(executor.map(ask, range(32)))


def test_the_next_replica_is_asked_when_one_does_not_answer(
    processes: helpers.Processes, runtime: Runtime
) -> None:
    first, second = processes.nameserver(), processes.nameserver()
    flags = ["-n", NOBODY, "-n", first.address, "-n", second.address]
    service = processes.service("life_services", arguments=flags)
    for nameserver in (first, second):
        nameserver.wait_for(f"Registered {service.name} at {service.address}")
    replicas = [NOBODY, first.address, second.address]
    context = pycom.Context(replicas, timeout=900, runtime=runtime)
    assert found(context) == service.address
    first.kill()
    assert found(context) == service.address
    second.kill()
    with pytest.raises(pycom.ServiceNotFound):
        context.locate("test.life")


def test_the_command_line_takes_several_nameservers(
    processes: helpers.Processes, nameserver: helpers.Service
) -> None:
    processes.service("life_services", nameserver=nameserver)
    call = processes.program(
        helpers.script("pycom"),
        *("call", "-n", NOBODY, "-n", nameserver.address, "-t", "4000"),
        *("test.life", "echo", "value=1"),
    )
    assert call.wait() == 0, call.output
    assert call.lines == ["1\n"]


def test_a_nameserver_with_a_file_finds_services_at_once_after_a_restart(
    processes: helpers.Processes, runtime: Runtime, tmp_path: Path
) -> None:
    file = {"PYCOM_NAMESERVER_BACKEND": f"sqlite://{tmp_path}/services"}
    nameserver = processes.nameserver(**file)
    service = processes.service("life_services", nameserver=nameserver)
    context = context_of(runtime, nameserver)
    for end in ("kill", "stop"):
        getattr(nameserver, end)()
        nameserver = processes.nameserver(address=nameserver.address, **file)
        located = context.locate("test.life")
        assert found(context) == service.address
        assert located.invoke("echo", {"value": 1}) == 1


@pytest.mark.parametrize("balancer", ["random", "round-robin", "least-loaded"])
def test_calls_are_spread_over_all_instances(
    processes: helpers.Processes, runtime: Runtime, balancer: str
) -> None:
    nameserver = processes.nameserver(PYCOM_BALANCER=balancer)
    services = [processes.service("life_services", nameserver=nameserver) for _ in range(3)]
    chosen = Runtime(Settings(nameserver=(nameserver.address,), balancer=balancer))
    try:
        context = pycom.Context(runtime=chosen)
        located = [context.locate("test.life") for _ in range(60)]
        instances = [component.invoke("process") for component in located]
    finally:
        chosen.close()
    assert set(instances) == {service.process.pid for service in services}
    if balancer != "random":
        assert max(map(instances.count, instances)) == 20
    # Clients of 0.6.0 leave the choice to the nameserver.
    with helpers.Dealer(nameserver.address) as dealer:
        answers = [
            dealer.call("org.pycom.nameserver", "locate", {"interface": "test.life"})["result"]
            for _ in range(60)
        ]
    assert {answer["address"] for answer in answers} == {service.address for service in services}
