"""`pycom demo`, as a newcomer runs it."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import helpers
import pytest
from in_process import Distributions

from pycom_plugins.demo import children
from pycom_plugins.demo.children import Child, DemoFailed


class Demo:
    """A demonstration that runs, in a process group of its own."""

    def __init__(self, stdout: int = subprocess.PIPE, **environ: str) -> None:
        self.process = subprocess.Popen(
            [helpers.script("pycom"), "demo"],
            env=helpers.environment(PYTHONUNBUFFERED="1", COLUMNS="120", **environ),
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def read_until(self, text: str) -> None:
        """Wait until it has written some text."""
        assert self.process.stdout is not None
        assert any(text in line for line in self.process.stdout)

    def end(self) -> tuple[int, str, str]:
        """Its exit status, output and errors. Fails if one of its processes is left."""
        stdout, stderr = self.process.communicate(timeout=helpers.PATIENCE)
        with pytest.raises(ProcessLookupError):
            os.killpg(self.process.pid, 0)
        return self.process.returncode, stdout, stderr

    def kill(self) -> None:
        """End all that is left of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def start() -> Iterator[type[Demo]]:
    """Starts demonstrations, of which nothing is left after the test."""
    with contextlib.ExitStack() as stack:

        class Killed(Demo):
            def __init__(self, stdout: int = subprocess.PIPE, **environ: str) -> None:
                super().__init__(stdout, **environ)
                stack.callback(self.kill)

        yield Killed


def test_shows_all_and_ends(start: type[Demo]) -> None:
    status, shown, errors = start().end()
    assert (status, errors) == (0, "")
    assert re.findall(r"^(\d)\. ", shown, re.MULTILINE) == list("12345678")
    assert "\x1b" not in shown
    for line in (
        '>>> fruit.price("apple")\n   3\n',
        '>>> fruit.price(fruit="pear", count=3)\n   12\n',
        r"Results(size=4, mirrored=b'\xff\x02\x01\x00')",
        "RemoteError (code 42): There is no plum",
        "TypeError: price() missing required argument 'fruit'",
        "price(fruit, count=…)\n",
        "To go on, see: pycom --help",
    ):
        assert line in shown
    assert re.search(r"\d+ calls, one after the other: [\d,]+ a second, \d+ µs each", shown)


def test_in_color_where_a_person_looks(start: type[Demo]) -> None:
    person, terminal = pty.openpty()
    demo = start(terminal, TERM="xterm-256color", NO_COLOR="")
    os.close(terminal)
    seen = helpers.shown_on(person)
    assert demo.end()[0] == 0
    assert "\x1b[1;36m1. A nameserver" in seen.decode()
    assert b"\x1b[31m   RemoteError (code 42)" in seen


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["1. ", "2. ", "7. "])
def test_interrupted(start: type[Demo], number: int, moment: str) -> None:
    demo = start()
    demo.read_until(moment)
    demo.process.send_signal(number)
    status, _, errors = demo.end()
    assert status == 1
    assert "Traceback" not in errors


def test_ctrl_c_in_a_terminal(start: type[Demo]) -> None:
    """The whole process group gets the signal."""
    demo = start()
    demo.read_until("3. ")
    os.killpg(demo.process.pid, signal.SIGINT)
    status, _, errors = demo.end()
    assert status == 1
    assert "Traceback" not in errors


def test_settings_of_the_environment_do_not_spoil_it(start: type[Demo]) -> None:
    status, _, errors = start(
        PYCOM_NAMESERVER="tcp://127.0.0.1:1",
        PYCOM_AUTHENTICATION='{"policy": "required"}',
        PYCOM_CONFIG="/nowhere",
        PYCOM_LOGGING_LEVEL="CRITICAL",
    ).end()
    assert status == 0
    assert "Traceback" not in errors


def test_failure(start: type[Demo], tmp_path: Path) -> None:
    Distributions(tmp_path).plugin("bad", "import nowhere_to_be_found")
    status, _, errors = start(PYTHONPATH=str(tmp_path)).end()
    assert status == 1
    assert errors.startswith("pycom: The demonstration failed: A process ended; it last said:\n")
    assert "No module named 'nowhere_to_be_found'" in errors
    assert "Traceback" not in errors

    disabled = '{"disable": ["bad"]}'
    assert start(PYTHONPATH=str(tmp_path), PYCOM_PLUGINS=disabled).end()[0] == 0


# One process of it.


def test_process_that_ends_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "silent.py").write_text("import os\nos._exit(3)")
    with (
        Child(["-a", helpers.ANY_PORT, "silent"], tmp_path) as child,
        pytest.raises(DemoFailed, match="ended without a word"),
    ):
        child.wait_for(r"listens on (\S+)")


def test_process_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Child(["-a", helpers.ANY_PORT, "pycom.apps.demo"], tmp_path) as child:
        child.wait_for(r"listens on (\S+)")
        monkeypatch.setattr(children, "PATIENCE", 0.0)
        with pytest.raises(DemoFailed, match="does not start"):
            child.wait_for("(anything else)")
        monkeypatch.undo()


def test_process_that_does_not_want_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deaf.py").write_text(
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('listens on nothing', file=sys.stderr, flush=True)\n"
        "signal.pause()\n"
    )
    with Child(["deaf"], tmp_path) as child:
        child.wait_for(r"listens on (\S+)")
        monkeypatch.setattr(children, "PATIENCE", 0.0)
    assert child._process.returncode == -signal.SIGKILL
