"""Faults at full size, among whole processes, and what callers see.

A nameserver, the service (`services/faulty.py`) and each caller (`callers.py`) are processes of
their own. The link is one between network namespaces, for which no rights are needed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import harness
from links import FAR, link

import pycom

MIB = 2**20
INTERFACE = "benchmarks.faulty"
#: s by which the clocks of two sides may differ about who gave up when.
SLACK = 0.1
#: s for a process to start.
START = 30.0
#: Timeouts of callers, in ms.
TIMEOUT, BURST_TIMEOUT = 1000, 2000

#: A kind of callers, and their options.
Wanted = tuple[str, dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="row", help=f"of {', '.join(ROWS)}; else all")
    parser.add_argument("--transport", choices=["zmtp", "zmq"], default="zmtp")
    parser.add_argument("--short", action="store_true", help="a tenth of the times and counts")
    options = parser.parse_args()
    unknown = set(options.rows) - set(ROWS)
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    preferred = [options.transport, "zmq"] if options.transport == "zmtp" else ["zmq"]
    # Of this process too: it asks the nameserver.
    os.environ["PYCOM_TRANSPORT"] = harness.ENVIRONMENT["PYCOM_TRANSPORT"] = json.dumps(preferred)

    table = []
    for name in options.rows or ROWS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="pycom-faults-") as folder:
            fault, saw = ROWS[name](Stage(Path(folder), options.short))
        took = time.monotonic() - began
        print(f"{name}: {fault}: {saw} ({took:.0f} s)", file=sys.stderr, flush=True)
        table.append([name, fault, saw, f"{took:.0f} s"])
    harness.table(["row", "fault", f"callers saw, {options.transport}", "took"], table)


# Processes.


@attrs.define
class Caller:
    """A process of `callers.py`."""

    process: subprocess.Popen[str]

    def begin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self, seconds: float = 60.0) -> Any:
        """Let it come to its end, and return what it saw."""
        output, _ = self.process.communicate(timeout=seconds)
        return json.loads(output)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@attrs.define
class Service:
    """A process that listens."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def lines(self) -> int:
        with self.log.open("rb") as log:
            return sum(1 for _ in log)

    def cpu(self) -> float:
        """s that it has computed."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


@attrs.define
class Stage:
    """Starts the processes of a row, and knows the sizes."""

    folder: Path
    is_short: bool
    inside: tuple[str, ...] = ()  #: what runs a command where clients are
    count: int = 0

    def seconds(self, full: float) -> float:
        return full / 10 if self.is_short else full

    def number(self, full: int) -> int:
        return full // 10 if self.is_short else full

    def _listen(
        self, command: Sequence[str], limit: int = 0, inside: Sequence[str] = ()
    ) -> Service:
        self.count += 1
        log = self.folder / f"{self.count}.log"
        environment = harness.ENVIRONMENT | {"FAULTS_RUNS": str(self.runs)}
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [*inside, *command],
                cwd=harness.HERE / "services",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                preexec_fn=partial(restrict, limit) if limit else None,
            )
        end = time.monotonic() + START
        while not (
            found := re.search(r"listens on (tcp://\S+)", log.read_text("utf-8", "replace"))
        ):
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                raise SystemExit(f"{' '.join(command)} does not listen:\n{log.read_text()}")
            time.sleep(0.02)
        return Service(process, found[1], log)

    @contextlib.contextmanager
    def nameserver(self) -> Iterator[Service]:
        made = self._listen([harness.script("pycom"), "nameserver", "-a", harness.ANY_PORT])
        try:
            yield made
        finally:
            made.end()

    @contextlib.contextmanager
    def service(
        self,
        nameserver: Service | None = None,
        address: str = harness.ANY_PORT,
        limit: int = 0,
        inside: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> Iterator[Service]:
        """The service; with a nameserver, once it is found there."""
        found = [] if nameserver is None else ["-n", nameserver.address]
        command = [harness.script("pycom"), "run", "-a", address, *found, "-s", "/faulty", "faulty"]
        if environment:
            command = ["env", *(f"{name}={value}" for name, value in environment.items()), *command]
        made = self._listen(command, limit, inside)
        try:
            if nameserver is not None:
                until_found(nameserver.address)
            yield made
        finally:
            made.end()

    @contextlib.contextmanager
    def callers(self, *wanted: Wanted, waiting: bool = False) -> Iterator[list[Caller]]:
        """Callers that have begun, or are waiting to."""
        begun = [
            Caller(
                subprocess.Popen(
                    [
                        *self.inside,
                        sys.executable,
                        str(harness.HERE / "callers.py"),
                        kind,
                        json.dumps(options),
                    ],
                    env=harness.ENVIRONMENT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for kind, options in wanted
        ]
        try:
            for caller in begun:
                assert caller.process.stdout is not None
                if caller.process.stdout.readline() != "ready\n":
                    raise SystemExit("A caller did not begin")
            for caller in begun:
                if not waiting:
                    caller.begin()
            yield begun
        finally:
            for caller in begun:
                if caller.process.poll() is None:
                    caller.kill()

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def ran_late(self) -> tuple[Counter[str], float]:
        """Calls that ran after their callers had given up: how many of each, and s of the last."""
        late: Counter[str] = Counter()
        latest = 0.0
        for line in self.runs.read_text().splitlines():
            caller, began, until = line.split()
            by = float(began) - float(until)
            if by > SLACK:
                late[caller] += 1
                latest = max(latest, by)
        return late, latest


def restrict(descriptors: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))


def until_found(nameserver: str) -> None:
    end = time.monotonic() + START
    while not is_found(nameserver):
        if time.monotonic() > end:
            raise SystemExit("The service is not registered")
        time.sleep(0.05)


def is_found(nameserver: str) -> bool:
    # A context of its own asks anew.
    try:
        with contextlib.closing(pycom.Context(nameserver)) as context:
            context.locate(INTERFACE).close()
            return True
    except pycom.ServiceNotFound:
        return False


# What callers say.


def told(calls: Sequence[Sequence[Any]]) -> str:
    """Count how calls ended."""
    ends = Counter(str(ended) for _, _, ended in calls)
    return ", ".join(f"{count:,} {ended}" for ended, count in ends.most_common())


def back_after(calls: Sequence[Sequence[Any]], since: float) -> str:
    """Give the s from a time on until the first answer."""
    answered = [end for _, end, ended in calls if ended == "answered" and end > since]
    return f"{min(answered) - since:.2f}" if answered else "inf"


def pace(calls: Sequence[Sequence[Any]], began: float, end: float) -> str:
    """Count the calls that were answered within a time, and say how long they took."""
    times = [
        stop - start for start, stop, ended in calls if ended == "answered" and began < stop < end
    ]
    others = [ended for _, stop, ended in calls if ended != "answered" and began < stop < end]
    longest = max((stop - start for start, stop, _ in calls if began < stop), default=0.0)
    p99 = statistics.quantiles(times, n=100)[98] if len(times) > 1 else longest
    text = f"{len(times):,} calls in {end - began:.1f} s, p99 {p99 * 1000:.1f} ms"
    text += f", longest {longest * 1000:.0f} ms"
    return text + (f", failed {dict(Counter(others))}" if others else "")


def lateness(stage: Stage) -> str:
    late, latest = stage.ran_late()
    if not late:
        return "0 calls ran whose callers had given up"
    each = ", ".join(f"{name} {count:,}" for name, count in late.most_common())
    count = f"{sum(late.values()):,} calls ran whose callers had given up"
    return f"{count} ({each}), up to {latest:.1f} s late"


# The rows.


def many_kinds(tcp: str, nameserver: str = "") -> list[Wanted]:
    """Callers with a timeout of 1 s: sync and asyncio, over TCP and, as found, a Unix socket."""
    places: dict[str, dict[str, Any]] = {"tcp": {"address": tcp}}
    if nameserver:
        places["ipc"] = {"nameserver": nameserver}
    wanted: list[Wanted] = []
    for place, where in places.items():
        wanted += [("steady", {"name": f"sync-{place}", **where}) for _ in range(2)]
        wanted.append(("steady_async", {"name": f"asyncio-{place}", "width": 4, **where}))
    return wanted


def paused(stage: Stage, pause: Callable[[Service], None], lease: bool = False) -> str:
    """All kinds of callers, and bursts of asyncio clients, while the service does nothing."""
    count = stage.number(5000)
    common = {"timeout": BURST_TIMEOUT, "burst": count}
    with stage.nameserver() as nameserver, stage.service(nameserver) as service:
        kinds = many_kinds(service.address, nameserver.address)
        bursts: list[Wanted] = [
            ("steady_async", {"name": "burst-tcp", "address": service.address, **common}),
            ("steady_async", {"name": "burst-ipc", "nameserver": nameserver.address, **common}),
        ]
        with (
            stage.callers(*kinds) as steady,
            stage.callers(*bursts, waiting=True) as bursting,
            watched(nameserver.address) as lost,
        ):
            time.sleep(0.5)
            later = threading.Timer(0.5, lambda: [caller.begin() for caller in bursting])
            later.start()
            pause(service)
            resumed = time.monotonic()
            time.sleep(stage.seconds(10) + 1)
            saw = [caller.end() for caller in steady]
            burst = [call for caller in bursting for call in caller.end()]
    back = [float(back_after(calls, resumed)) for calls in saw]
    texts = [
        lateness(stage),
        f"back after {min(back):.2f} to {max(back):.2f} s",
        f"not found at the nameserver for {lost[0]:.1f} s" if lease else "",
        told([call for calls in saw for call in calls]),
        f"bursts: {told(burst)}",
    ]
    return "; ".join(filter(None, texts))


@contextlib.contextmanager
def watched(nameserver: str) -> Iterator[list[float]]:
    """Measure for how many s the service is not found."""
    lost, over = [0.0], threading.Event()

    def watch() -> None:
        last = time.monotonic()
        while not over.wait(0.2):
            found, now = is_found(nameserver), time.monotonic()
            lost[0] += 0.0 if found else now - last
            last = now

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lost
    finally:
        over.set()
        thread.join()


def stopped(stage: Stage) -> tuple[str, str]:
    seconds = stage.seconds(70)

    def pause(service: Service) -> None:
        os.kill(service.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(service.pid, signal.SIGCONT)

    return f"SIGSTOP for {seconds:.0f} s, SIGCONT", paused(stage, pause)


def lock(stage: Stage) -> tuple[str, str]:
    seconds = int(stage.seconds(75))

    def pause(service: Service) -> None:
        context = pycom.Context(service.address, timeout=1000 * (seconds + 60))
        with context.connect(service.address, INTERFACE) as component:
            component.invoke("hold_lock", {"seconds": seconds})

    return f"a method holds Python's lock for {seconds} s", paused(stage, pause, lease=True)


def cut(stage: Stage) -> tuple[str, str]:
    seconds = stage.seconds(20)
    with link() as (near, far, switch):
        stage.inside = near
        with (
            stage.service(address=f"tcp://{FAR}:2013", inside=far) as service,
            stage.callers(*many_kinds(service.address)) as callers,
        ):
            time.sleep(1)
            switch(False)
            time.sleep(seconds)
            switch(True)
            restored = time.monotonic()
            time.sleep(stage.seconds(15) + 5)
            saw = [caller.end() for caller in callers]
    *sync, asynchronous = (back_after(calls, restored) for calls in saw)
    every = [call for calls in saw for call in calls]
    return f"the link cut for {seconds:.0f} s", (
        f"{lateness(stage)}; sync clients came back after {' and '.join(sync)} s, "
        f"asyncio after {asynchronous} s; {told(every)}"
    )


def flood(stage: Stage) -> tuple[str, str]:
    count = stage.number(1_000_000)
    with stage.service() as service:
        where, before = {"address": service.address}, service.lines()
        with (
            stage.callers(("steady", {"name": "other", "interval": 0, **where})) as [other],
            stage.callers(("flood", {"count": count, **where})) as [flooding],
        ):
            began = time.monotonic()
            sent = flooding.end(300)
            end = time.monotonic()
            peak = harness.memory(service.pid, peak=True)
            calls = other.end()
        lines = service.lines() - before
    return f"one client sends {count:,} requests and reads nothing", (
        f"another: {pace(calls, began, end)}; {sent['sent']:,} were taken in, then: "
        f"{sent['ended']}; {lines:,} log lines; the service took {peak / MIB:.0f} MiB"
    )


def greedy(stage: Stage) -> tuple[str, str]:
    count = stage.number(100_000)
    many = {"name": "greedy", "burst": count, "timeout": 300_000}
    with stage.service() as service:
        address = service.address
        with (
            stage.callers(("steady", {"name": "other", "address": address, "interval": 0})) as [
                other
            ],
            stage.callers(("steady_async", {**many, "address": address})) as [one],
        ):
            ends = one.end(300)
            calls = other.end()
    began, end = min(start for start, _, _ in ends), max(stop for _, stop, _ in ends)
    return f"one client with {count:,} requests", (
        f"another: {pace(calls, began, end)}; the one: {told(ends)}"
    )


def unread(stage: Stage) -> tuple[str, str]:
    count, seconds = stage.number(1500), stage.seconds(20)
    with stage.service() as service:
        asks = {"address": service.address, "count": count, "method": "blob"}
        with (
            stage.callers(("steady", {"name": "other", "address": service.address})) as [other],
            stage.callers(("flood", {**asks, "args": {"size": MIB}})),
        ):
            began = time.monotonic()
            time.sleep(seconds)
            peak = harness.memory(service.pid, peak=True)
            calls = other.end()
    return f"{count:,} unread replies of 1 MiB", (
        f"the service took {peak / MIB:.0f} MiB; another: {pace(calls, began, began + seconds)}"
    )


def leaver(stage: Stage) -> tuple[str, str]:
    # The limit of calls in flight is no smaller when all is.
    count, seconds = 10_050, stage.seconds(30)
    with stage.service() as service:
        asks = {"address": service.address, "count": count, "method": "wait"}
        with (
            stage.callers(("steady", {"name": "other", "address": service.address})) as [other],
            stage.callers(("flood", {**asks, "args": {"seconds": 600}})) as [leaving],
        ):
            began = time.monotonic()
            time.sleep(stage.seconds(20) + 3)
            leaving.kill()
            left = time.monotonic()
            time.sleep(seconds)
            calls = other.end()
    before = [call for call in calls if began < call[1] < left]
    after = [call for call in calls if call[1] > left]
    return f"{count:,} calls without a deadline, then the client leaves", (
        f"another, before: {told(before)}; after: {told(after)}"
    )


def killed(stage: Stage) -> tuple[str, str]:
    waits = {"method": "wait", "seconds": 600, "timeout": 5000}
    with stage.service() as service:
        where = {"name": "in-flight", "address": service.address, **waits}
        with stage.callers(("steady", where), ("steady_async", {**where, "width": 20})) as callers:
            time.sleep(1)
            service.process.kill()
            gone = time.monotonic()
            time.sleep(6)
            sync, asynchronous = (caller.end() for caller in callers)
    texts = []
    for kind, calls in (("sync", sync), ("asyncio", asynchronous)):
        in_flight = [call for call in calls if call[0] < gone]
        refused = [call for call in calls if call[0] > gone + 0.1]
        texts.append(f"{kind}: in flight {took(in_flight, gone)}; then refused {took(refused)}")
    return "calls in flight at a kill -9, and then a port that refuses", "; ".join(texts)


def took(calls: Sequence[Sequence[Any]], since: float = 0.0) -> str:
    longest = max((end - max(start, since) for start, end, _ in calls), default=0.0)
    return f"within {longest * 1000:.0f} ms, {'/'.join(sorted({end for _, _, end in calls}))}"


def restart(stage: Stage) -> tuple[str, str]:
    seconds = stage.seconds(20)
    with stage.nameserver() as nameserver, stage.service(nameserver) as first:
        kinds = many_kinds(first.address, nameserver.address)
        with stage.callers(*kinds) as callers:
            time.sleep(1)
            first.process.kill()
            gone = time.monotonic()
            time.sleep(1)
            with stage.service(nameserver, first.address) as second:
                assert second.address == first.address
                again = time.monotonic()
                time.sleep(seconds)
                saw = [caller.end() for caller in callers]
    texts = []
    for (_, options), calls in zip(kinds, saw, strict=True):
        failed = [call for call in calls if call[1] > again and call[2] != "answered"]
        texts.append(
            f"{options['name']} back {back_after(calls, gone + 0.1)} s after the kill, "
            f"{len(failed):,} of {len(calls):,} failed once it was there"
        )
    return f"a held component whose service restarts ({again - gone:.1f} s)", "; ".join(texts)


def descriptors(stage: Stage) -> tuple[str, str]:
    seconds = stage.seconds(30)
    with stage.nameserver() as nameserver, stage.service(nameserver, limit=80) as service:
        with (
            stage.callers(("steady", {"name": "local", "nameserver": nameserver.address})) as [
                local
            ],
            stage.callers(("idle", {"address": service.address, "count": 150})),
        ):
            began, computed, lines = time.monotonic(), service.cpu(), service.lines()
            time.sleep(seconds)
            status = service.process.poll()
            cpu = "" if status is not None else f"{service.cpu() - computed:.2f} s of CPU"
            lines = service.lines() - lines
            words = service.log.read_text("utf-8", "replace").count("ulimit")
            calls = local.end()
        alive = "lives" if status is None else f"ended with {status}"
        few = {"timeout": 2000, "descriptors": 40}
    with (
        stage.service() as service,
        stage.callers(("once", {**few, "address": service.address})) as [client],
    ):
        [[start, end, ended]] = client.end()
    return "descriptors exhausted: 80, and 150 idle connections", (
        f"the service {alive}, {cpu} in {seconds:.0f} s, {words} line about it; local client: "
        f"{pace(calls, began, began + seconds)}; a client without descriptors: {ended} after "
        f"{(end - start) * 1000:.0f} ms"
    )


def too_big(stage: Stage) -> tuple[str, str]:
    with stage.service(environment={"PYCOM_MAX_MESSAGE_SIZE": str(MIB)}) as service:
        big = {"address": service.address, "timeout": 5000, "size": 8 * MIB}
        with stage.callers(("once", big)) as [caller]:
            [[start, end, ended]] = caller.end()
        lines = service.log.read_text("utf-8", "replace").count("message")
    return "a message over the limit", (
        f"{ended} after {(end - start) * 1000:.0f} ms; {lines} log line about it"
    )


ROWS: dict[str, Callable[[Stage], tuple[str, str]]] = {
    row.__name__: row
    for row in (
        stopped,
        lock,
        cut,
        flood,
        greedy,
        unread,
        leaver,
        killed,
        restart,
        descriptors,
        too_big,
    )
}

if __name__ == "__main__":
    main()
