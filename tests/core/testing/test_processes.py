"""Services of a `RealNetwork` in processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from core.testing.world import Worker

import pycom
from pycom_core.testing import RealNetwork
from pycom_core.testing.processes import ServiceChild

SOURCE = """
    import os
    import sys
    import pycom

    @pycom.interface("com.foo.child")
    class Child(pycom.Service):
        @pycom.method
        def process(self, request):
            return os.getpid()

        @pycom.method
        def say(self, request, text):
            sys.stderr.write(text + "\\n")  # in one piece, as others write there too

        @pycom.method
        def ask(self, request, interface):
            return request.context().locate(interface).work(item=7)
"""


@pytest.fixture
def network() -> Iterator[RealNetwork]:
    with RealNetwork() as network:
        yield network


@pytest.fixture
def child(network: RealNetwork) -> ServiceChild:
    return network.spawn(source=SOURCE)


def invoke(network: RealNetwork, method: str, **arguments: Any) -> Any:
    return network.context().locate("com.foo.child").invoke(method, arguments)


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_source_in_a_process(network: RealNetwork, child: ServiceChild) -> None:
    assert invoke(network, "process") == child.process.pid != os.getpid()
    assert child.alive
    assert f"process {child.process.pid}" in repr(child)


def test_modules_in_a_process(network: RealNetwork) -> None:
    (network.directory / "greeter.py").write_text(textwrap.dedent(SOURCE))
    child = network.spawn("greeter", name="/com/foo/greeter")
    assert invoke(network, "process") == child.process.pid
    assert child.name == "/com/foo/greeter"


def test_modules_are_found_as_in_the_test(
    network: RealNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "found_by_path.py").write_text(textwrap.dedent(SOURCE))
    monkeypatch.syspath_prepend(tmp_path)
    network.spawn("found_by_path")
    assert invoke(network, "process")


def test_calls_between_processes_and_threads(network: RealNetwork, child: ServiceChild) -> None:
    network.serve(Worker)
    assert invoke(network, "ask", interface="com.foo.worker") == 7


def test_settings_and_environment(network: RealNetwork) -> None:
    source = """
        import os
        import pycom

        @pycom.interface("com.foo.child")
        class Child:
            @pycom.method
            def told(self, request):
                return [pycom.configuration["session_timeout"], os.environ["COLOUR"]]
    """
    network.spawn(source=source, session_timeout=1234, environ={"COLOUR": "green"})
    assert invoke(network, "told") == [1234, "green"]


def test_settings_of_the_environment_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYCOM_THREADS", "nonsense")
    with RealNetwork() as network:
        assert network.spawn(source=SOURCE).alive


def test_disabled_plugins(network: RealNetwork) -> None:
    network.spawn(source=SOURCE, disable=["introspection"])
    with pytest.raises(pycom.MethodNotFound):
        network.context().locate("com.foo.child").introspect()


def test_log(network: RealNetwork, child: ServiceChild) -> None:
    invoke(network, "say", text="number 1")
    invoke(network, "say", text="number 2")
    assert child.wait_for(r"number (\d)", times=2)[1] == "2"
    told = [line for line in child.log.splitlines() if line.startswith("number")]
    assert told == ["number 1", "number 2"]
    [(title, text)] = network.logs
    assert title == f"{child.name}, process {child.process.pid}"
    assert text == child.log


def test_log_that_never_comes(child: ServiceChild) -> None:
    child.wait_for("listens on")
    child.kill()
    with pytest.raises(AssertionError, match=r"(?s)no 'wanted' in the log of .* listens on"):
        child.wait_for("wanted")


def test_process_that_cannot_start(network: RealNetwork) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)/broken ended; its log:.*no such thing"):
        network.spawn(source="raise ValueError('no such thing')", name="/broken")
    [(title, _)] = network.logs
    assert title.endswith("which ended with status 2")


def test_taken_name(network: RealNetwork) -> None:
    network.serve(Worker, name="/com/foo/w")
    with pytest.raises(RuntimeError, match=r"(?s)ended; its log:.*already registered"):
        network.spawn(source=SOURCE, name="/com/foo/w")


def test_killed_and_started_again(network: RealNetwork, child: ServiceChild) -> None:
    address, before = child.address, child.process.pid
    component = network.context().locate("com.foo.child")
    network.kill(child)
    assert is_gone(before)
    assert not child.alive
    with pytest.raises(pycom.ServiceNotAvailable):
        component.invoke("process", timeout=200)
    child.start()
    assert child.address == address
    assert component.invoke("process") == child.process.pid != before


def test_killed_loses_its_lease(network: RealNetwork, child: ServiceChild) -> None:
    other = network.spawn(source=SOURCE)
    network.kill(child)
    network.advance(61)
    context = network.context()
    with pytest.raises(pycom.ServiceNotFound):
        context.locate("com.foo.child", child.name)
    assert context.locate("com.foo.child", other.name).invoke("process") == other.process.pid


def test_stopped_unregisters(network: RealNetwork, child: ServiceChild) -> None:
    assert child.stop() == 0
    with pytest.raises(pycom.ServiceNotFound):
        network.context().locate("com.foo.child")


def test_faults_of_calls_to_a_process(network: RealNetwork, child: ServiceChild) -> None:
    component = network.context(timeout=200).locate("com.foo.child")
    network.faults.cut(child)
    with pytest.raises(pycom.CallTimeout):
        component.invoke("process")
    network.advance(61)
    with pytest.raises(pycom.ServiceNotFound):
        network.context().locate("com.foo.child")
    network.faults.heal()
    network.renew()
    assert invoke(network, "process") == child.process.pid


def test_in_async_code() -> None:
    async def main() -> None:
        async with RealNetwork() as network:
            one, two = await asyncio.gather(
                *(network.async_spawn(source=SOURCE, name=name) for name in ("/one", "/two"))
            )
            async with network.async_context() as context:
                for child in (one, two):
                    component = await context.locate("com.foo.child", child.name)
                    assert await component.process() == child.process.pid

    asyncio.run(main())


def test_nothing_is_left(capfd: pytest.CaptureFixture[str]) -> None:
    threads = set(threading.enumerate())
    with RealNetwork() as network:
        running, killed = network.spawn(source=SOURCE), network.spawn(source=SOURCE)
        network.kill(killed)
    assert is_gone(running.process.pid)
    assert set(threading.enumerate()) <= threads
    assert not network.directory.exists()
    assert capfd.readouterr() == ("", "")


def test_nothing_is_left_by_a_failure_but_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), RealNetwork() as network:  # noqa: PT012
        child = network.spawn(source=SOURCE, name="/com/foo/unlucky")
        child.wait_for("listens on")
        raise ZeroDivisionError
    assert is_gone(child.process.pid)
    shown = capfd.readouterr().err
    assert shown.startswith(f"--- /com/foo/unlucky, process {child.process.pid}\n")
    assert "listens on" in shown


def test_what_a_process_started_is_gone_too(network: RealNetwork) -> None:
    child = network.spawn(
        source="""
            import subprocess
            import sys
            import pycom

            @pycom.interface("com.foo.child")
            class Child:
                @pycom.method
                def start(self, request):
                    command = [sys.executable, "-c", "import time; time.sleep(1000)"]
                    self.started = subprocess.Popen(command)
                    return self.started.pid
        """
    )
    started = invoke(network, "start")
    assert not is_gone(started)
    # Whose end shows in that the pipe of the log is closed: `kill` waits for it.
    network.kill(child)
    assert child._reader is not None
    assert not child._reader.is_alive()


@pytest.mark.parametrize(
    ("end", "status"),
    [("pass", 0), ("os.kill(os.getpid(), signal.SIGINT); time.sleep(60)", -signal.SIGINT)],
)
def test_network_that_nobody_closes(end: str, status: int, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, signal, time\nfrom pycom_core.testing import RealNetwork\n"
        f"network = RealNetwork()\nsource = {textwrap.dedent(SOURCE)!r}\n"
        f"print(network.spawn(source=source).process.pid, flush=True)\n{end}\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert done.returncode == status, done.stderr
    assert is_gone(int(done.stdout))
