"""`pycom bench`, on services in processes of their own."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import helpers
import pytest

HERE = Path(__file__).parent
WAYS = pytest.mark.parametrize("way", [[], ["--sync"]], ids=["asyncio", "threads"])


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[helpers.Service, helpers.Service]]:
    """A nameserver, and the service that it knows."""
    with helpers.Processes() as processes:
        nameserver = processes.nameserver()
        yield nameserver, processes.service("benched", nameserver=nameserver, directory=HERE)


@pytest.fixture
def address(both: tuple[helpers.Service, helpers.Service]) -> str:
    """Address of the nameserver."""
    return both[0].address


@pytest.fixture
def service(both: tuple[helpers.Service, helpers.Service]) -> helpers.Service:
    return both[1]


def ask(service: helpers.Service, method: str) -> Any:
    """Return the result of a method of the service."""
    with helpers.Dealer(service.address) as dealer:
        return dealer.call("com.foo.benched", method)["result"]


def bench(address: str, *words: str) -> Any:
    return helpers.pycom("bench", "-n", address, *words)


def measured(address: str, *words: str, status: int = 0) -> Any:
    done = bench(address, "--json", "--warm-up", "0.01", *words)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


@WAYS
def test_so_many_calls(address: str, service: helpers.Service, way: list[str]) -> None:
    before = ask(service, "count")
    words = [*way, "--warm-up", "0", "--calls", "50", "--concurrency", "3"]
    found = measured(address, *words, "com.foo.benched", "count")
    after = ask(service, "count")
    assert (found["calls"], found["errors"], after - before) == (50, {}, 51)
    assert sum(row["count"] for row in found["histogram"]) == 50
    figures = found["latency_ms"]
    rising = [figures[name] for name in ("min", "p50", "p90", "p99", "p99.9", "max")]
    assert rising[0] > 0
    assert rising == sorted(rising)
    assert found["calls_per_second"] == pytest.approx(50 / found["seconds"])


def test_warm_up_does_not_count(address: str, service: helpers.Service) -> None:
    before = ask(service, "count")
    found = measured(address, "--warm-up", "0.2", "--calls", "1", "com.foo.benched", "count")
    after = ask(service, "count")
    assert found["calls"] == 1
    assert after - before > 2


@WAYS
def test_calls_are_in_flight_together(
    address: str, service: helpers.Service, way: list[str]
) -> None:
    words = [*way, "--calls", "8", "--concurrency", "4"]
    found = measured(address, *words, "com.foo.benched", "wait", "seconds=0.5")
    assert found["latency_ms"]["min"] >= 499
    assert ask(service, "most_at_once") == 4


@WAYS
def test_duration(address: str, way: list[str]) -> None:
    found = measured(address, *way, "--duration", "0.5", "com.foo.benched", "count")
    assert found["calls"] > 1
    assert found["seconds"] > 0.1


def test_arguments_are_json_or_text(address: str) -> None:
    measured(address, "--calls", "1", "com.foo.benched", "caller", "name=moon")
    measured(address, "--calls", "1", "com.foo.benched", "caller", "name=1", status=1)


@WAYS
def test_failing_calls_are_counted_by_kind(address: str, way: list[str]) -> None:
    words = [*way, "--warm-up", "0", "--calls", "10", "com.foo.benched", "fail_in_turn"]
    found = measured(address, *words, status=1)
    kinds = {kind: one["count"] for kind, one in found["errors"].items()}
    assert kinds == {"AccessDenied": 5, "RemoteError": 5}
    assert found["errors"]["AccessDenied"]["first"] == "not now"
    assert (found["calls"], found["latency_ms"], found["histogram"]) == (10, None, [])


def test_timeouts_are_counted(address: str) -> None:
    words = ["-t", "500", "--calls", "2", "com.foo.benched", "wait", "seconds=30"]
    found = measured(address, *words, status=1)
    # Both sides watch the deadline; whichever notices first says so.
    assert set(found["errors"]) <= {"CallTimeout", "DeadlineExceeded"}
    assert sum(error["count"] for error in found["errors"].values()) == 2


def test_rate_is_kept(address: str) -> None:
    words = ["--rate", "20", "--calls", "11", "--concurrency", "4", "com.foo.benched", "count"]
    found = measured(address, *words)
    assert found["seconds"] >= 0.5


def test_latency_at_a_rate_counts_from_when_a_call_was_due(address: str) -> None:
    # Each takes 0.1 s, and one is due every 0.01 s: the last has waited for nine others.
    words = ["--warm-up", "0", "--rate", "100", "--calls", "10"]
    found = measured(address, *words, "com.foo.benched", "wait", "seconds=0.1")
    assert found["latency_ms"]["max"] >= 900


def test_text(address: str) -> None:
    words = ["--warm-up", "0", "--calls", "20", "com.foo.benched", "count"]
    done = bench(address, *words)
    assert done.returncode == 0
    assert done.stdout.startswith("calls    20 in ")
    assert "█" * 40 in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["--duration", "0"],
        ["--duration", "-1"],
        ["--duration", "nan"],
        ["--calls", "0"],
        ["--concurrency", "0"],
        ["--rate", "0"],
        ["--warm-up", "-1"],
        ["no-argument"],
        ["-t", "nan"],
        ["now=1"],
    ],
    ids=" ".join,
)
def test_bad_options(address: str, words: list[str]) -> None:
    done = bench(address, "com.foo.benched", "count", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert words[-1].partition("=")[0] in done.stderr


def test_argument_that_is_given_twice(address: str) -> None:
    done = bench(address, "com.foo.benched", "caller", "name=a", "name=b")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'name' is given twice" in done.stderr


@WAYS
def test_unknown_interface(address: str, way: list[str]) -> None:
    done = bench(address, *way, "com.foo.unknown", "count")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("pycom: error 3: ")


def test_unknown_method(address: str) -> None:
    found = measured(address, "--calls", "3", "com.foo.benched", "unknown", status=1)
    assert found["errors"]["MethodNotFound"]["count"] == 3


@pytest.fixture
def busy(processes: helpers.Processes, nameserver: helpers.Service) -> helpers.Service:
    """A service of the test's own, to be killed."""
    return processes.service("benched", nameserver=nameserver, directory=HERE)


Begin = Callable[..., helpers.Program]


@pytest.fixture
def begin(
    processes: helpers.Processes, nameserver: helpers.Service, busy: helpers.Service
) -> Begin:
    """Measures, and waits until calls have come: the method `proof` says how many."""

    def begin(*words: str, proof: str, least: int) -> helpers.Program:
        options = ["-n", nameserver.address, "--warm-up", "0", *words]
        program = processes.program(helpers.script("pycom"), "bench", *options)

        def has_called() -> None:
            assert ask(busy, proof) >= least

        helpers.eventually(has_called, AssertionError)
        return program

    return begin


def begin_counting(begin: Begin, *words: str) -> helpers.Program:
    return begin("-t", "300", *words, "com.foo.benched", "count", proof="count", least=100)


@WAYS
def test_interrupted(begin: Begin, way: list[str]) -> None:
    program = begin_counting(begin, *way, "--duration", "600")
    program.signal(signal.SIGINT)
    assert program.wait() == 0
    assert "pycom: interrupted" in program.output
    assert int(program.wait_for(r"calls +(\d+) in")[1]) > 0


@WAYS
def test_interrupted_while_it_waits_for_an_answer(begin: Begin, way: list[str]) -> None:
    words = [*way, "--concurrency", "2", "-t", "600000", "com.foo.benched", "wait", "seconds=600"]
    program = begin(*words, proof="waiting_now", least=2)
    program.signal(signal.SIGINT)
    assert program.wait() == 0
    assert "calls    0 in" in program.output


@WAYS
def test_service_is_killed(begin: Begin, busy: helpers.Service, way: list[str]) -> None:
    program = begin_counting(begin, *way, "--json", "--duration", "5")
    busy.kill()
    assert program.wait() == 1
    found = json.loads(program.output)
    assert found["errors"]
    assert found["latency_ms"]
    assert found["seconds"] < 10
