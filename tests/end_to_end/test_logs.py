"""The log of a service, which never waits for its reader."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import helpers
import pytest
from helpers import is_registered

import pycom
from pycom_core import Runtime
from pycom_plugins.scaffold.writing import Names, write

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
NAMES = itertools.count()


@pytest.fixture(scope="module")
def nameserver() -> Iterator[helpers.Service]:
    """One for all the tests."""
    with helpers.Processes() as processes:
        yield processes.nameserver()


class Logging:
    """A service that logs, and what it writes."""

    def __init__(
        self, program: helpers.Program, name: str, nameserver: helpers.Service, runtime: Runtime
    ) -> None:
        self.program, self.name = program, name
        address = nameserver.wait_for(f"Registered {name} at (.*)")[1]
        self.component: Any = pycom.Context(runtime=runtime).connect(address, "test.logs")

    def fail(self) -> None:
        """Make it log a traceback."""
        with pytest.raises(pycom.RemoteError):
            self.component.invoke("fail", {"text": "lost"})

    def lines(self, *levels: str) -> list[str]:
        """All that it logs, its method at each of these levels, to its end."""
        for level in levels:
            self.component.invoke("say", {"text": level.lower(), "level": level})
        self.program.signal(signal.SIGTERM)
        assert self.program.wait() == 0
        return [line.rstrip("\n") for line in self.program.lines]


Start = Callable[..., Logging]


@pytest.fixture
def start(processes: helpers.Processes, nameserver: helpers.Service, runtime: Runtime) -> Start:
    def start(*arguments: str, configure: str = "", **environ: str) -> Logging:
        name = f"/logs/{next(NAMES)}"
        command = ["-m", "pycom", "-a", helpers.ANY_PORT, "-n", nameserver.address, "-s", name]
        environ["CONFIGURE"] = configure
        program = processes.python(*command, *arguments, "log_services", **environ)
        return Logging(program, name, nameserver, runtime)

    return start


def matching(pattern: str, lines: list[str]) -> list[str]:
    return [line for line in lines if re.fullmatch(pattern, line)]


# The application's own.


def test_records_of_the_application_are_shown(start: Start) -> None:
    lines = start().lines("DEBUG", "INFO", "WARNING")
    assert matching(f"{TIME} INFO log_services: imported", lines)
    for name in ("log_services: ours", "calls: calls", "root: root"):
        for level in ("INFO", "WARNING"):
            assert len(matching(f"{TIME} {level} {name}: {level.lower()}", lines)) == 1, lines
    assert not any("debug" in line for line in lines)


def test_verbose_shows_all_of_them(start: Start) -> None:
    lines = start("-v").lines("DEBUG")
    for name in ("log_services: ours", "calls: calls", "root: root"):
        assert matching(f"{TIME} DEBUG {name}: debug", lines)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["debug", "info", "warning"]),
        ("", ["info", "warning"]),
        ("Warning", ["warning"]),
        (" 30 ", ["warning"]),
    ],
)
def test_the_level_of_the_environment(start: Start, level: str, expected: list[str]) -> None:
    lines = start(PYCOM_LOGGING_LEVEL=level).lines("DEBUG", "INFO", "WARNING")
    found = [line.rpartition("ours: ")[2] for line in lines if "ours: " in line]
    assert found == expected


@pytest.mark.parametrize("level", ["loud", "1.5", "-1"])
def test_a_level_that_there_is_not(processes: helpers.Processes, level: str) -> None:
    arguments = ["-m", "pycom", "-a", helpers.ANY_PORT, "log_services"]
    program = processes.python(*arguments, PYCOM_LOGGING_LEVEL=level)
    assert program.wait() == 2
    assert program.output == (
        f"pycom: PYCOM_LOGGING_LEVEL is {level!r}; write DEBUG, INFO, WARNING, ERROR, CRITICAL or "
        "a number\n"
    )


# Its own configuration.


def test_basic_config_in_a_module_wins(start: Start) -> None:
    basic = "logging.basicConfig(level='INFO', format='MINE %(name)s %(message)s')"
    lines = start(configure=basic).lines("DEBUG", "INFO")
    assert lines[0] == "MINE log_services imported"
    assert "MINE log_services ours: info" in lines
    assert len(matching(r"MINE pycom Service \S+ listens on \S+", lines)) == 1
    assert not any(re.match(TIME, line) or "debug" in line for line in lines)


JSON_LINES = """
import json
class Lines(logging.Formatter):
    def format(self, record):
        return json.dumps([record.levelname, record.name, record.getMessage()])
handler = logging.StreamHandler()
handler.setFormatter(Lines())
logging.getLogger().addHandler(handler)
"""


def test_json_lines_of_all_records(start: Start) -> None:
    lines = [json.loads(line) for line in start(configure=JSON_LINES).lines("INFO")]
    assert ["INFO", "log_services", "ours: info"] in lines
    assert {name for _level, name, _text in lines} == {"pycom", "log_services", "calls", "root"}


def test_the_level_of_our_logger_is_the_modules_to_set(start: Start) -> None:
    lines = start(configure="logging.getLogger('pycom').setLevel('WARNING')").lines("INFO")
    assert matching(".* INFO log_services: ours: info", lines)
    assert not any(" pycom: " in line for line in lines)


def test_dict_config_in_a_module_wins_and_leaves_us_our_logger(start: Start) -> None:
    configure = (
        "import logging.config\n"
        "logging.config.dictConfig({'version': 1,"
        " 'formatters': {'f': {'format': 'DICT %(name)s %(message)s'}},"
        " 'handlers': {'h': {'class': 'logging.StreamHandler', 'formatter': 'f'}},"
        " 'root': {'level': 'INFO', 'handlers': ['h']}})"
    )
    service = start(configure=configure)
    service.fail()
    lines = service.lines("INFO")
    assert "DICT pycom test.logs.fail failed" in lines
    assert "DICT calls calls: info" in lines


def test_a_program_of_its_own_shows_records_too(processes: helpers.Processes) -> None:
    code = "import log_services, pycom; pycom.main()"
    program = processes.python("-c", code, PYCOM_ADDRESS=helpers.ANY_PORT)
    program.wait_for(f"{TIME} INFO pycom: Service /auto/.* listens on ")
    program.signal(signal.SIGTERM)
    assert program.wait() == 0
    assert "INFO pycom: Service /auto/" in program.lines[-1]


def test_the_hooks_that_a_scaffold_writes_are_seen(start: Start, tmp_path: Path) -> None:
    write(Names.of("seen"), "hooks", tmp_path)
    configure = (
        "import pycom_core.runtime._default, pycom_seen\n"
        "pycom_core.runtime._default.default_runtime().plugins.register(pycom_seen.Seen(), 'seen')"
    )
    lines = start(configure=configure, PYTHONPATH=str(tmp_path / "src")).lines("INFO")
    assert matching(f"{TIME} INFO seen: test.logs.say answered 0", lines)


# What is logged of the work.


def test_verbose_shows_registering_calls_and_stopping(
    start: Start, nameserver: helpers.Service
) -> None:
    service = start("-v")
    service.fail()
    with pytest.raises(pycom.MethodNotFound):
        service.component.invoke("nonsense\n")
    lines = service.lines("INFO")
    for expected in (
        f"DEBUG pycom: Registered {service.name} with {nameserver.address}",
        r"DEBUG pycom.calls: test\.logs\.fail: code 1, \d+\.\d ms",
        r"DEBUG pycom.calls: 'test\.logs\.nonsense\\n': code 2, .*",
        r"DEBUG pycom.calls: test\.logs\.say: code 0, \d+\.\d ms",
        f"INFO pycom: Service {service.name} stops: SIGTERM",
        f"DEBUG pycom: Unregistered {service.name} from {nameserver.address}",
    ):
        assert matching(f"{TIME} {expected}", lines), expected


def test_calls_are_not_shown_otherwise(start: Start) -> None:
    assert not any("test.logs.say" in line for line in start().lines("INFO"))


# Nobody reads.


class Unread:
    """A service whose standard error is a pipe that nobody reads yet."""

    def __init__(
        self, nameserver: helpers.Service, runtime: Runtime, configure: str, **environ: str
    ) -> None:
        self.name = f"/logs/{next(NAMES)}"
        command = ["-m", "pycom", "-a", helpers.ANY_PORT, "-n", nameserver.address, "-s", self.name]
        self._pipe, writer = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, *command, "log_services"],
            cwd=helpers.END_TO_END,
            stderr=writer,
            env={**os.environ, "CONFIGURE": configure, **environ},
        )
        os.close(writer)
        address = nameserver.wait_for(f"Registered {self.name} at (.*)")[1]
        self._component: Any = pycom.Context(runtime=runtime).connect(address, "test.logs")

    def fill(self, times: int, timeout: float = helpers.PATIENCE * 1000) -> None:
        """Have it log so many tracebacks, of 30,000 characters each."""
        for _ in range(times):
            with pytest.raises(pycom.RemoteError) as caught:
                self._component.invoke("fail", {"text": "x" * 30_000}, timeout=timeout)
            assert caught.value.code == 1

    def let_print(self, how: str, text: str) -> None:
        """Have Python print of itself, with a text of 30,000 characters."""
        self._component.invoke("let_print", {"how": how, "text": text.ljust(30_000, ".")})

    def read(self, pattern: str = "(?!)") -> str:
        """Return its output up to the pattern, or to its end."""
        text = ""
        while not re.search(pattern, text):
            found = os.read(self._pipe, 2**16)
            if not found:
                break
            text += found.decode("ascii")
        return text

    def stop(self) -> int:
        """Its exit status after SIGTERM."""
        self.process.terminate()
        return self.process.wait(helpers.PATIENCE)

    def kill(self) -> None:
        """End it, and its pipe."""
        self.process.kill()
        self.process.wait()
        os.close(self._pipe)


MakeUnread = Callable[..., Unread]


@pytest.fixture
def unread(nameserver: helpers.Service, runtime: Runtime) -> Iterator[MakeUnread]:
    with contextlib.ExitStack() as stack:

        def make(configure: str = "", **environ: str) -> Unread:
            made = Unread(nameserver, runtime, configure, **environ)
            stack.callback(made.kill)
            return made

        yield make


@pytest.mark.parametrize("configure", ["", "logging.basicConfig(level='INFO')"])
def test_a_pipe_that_nobody_reads_holds_up_neither_calls_nor_the_end(
    nameserver: helpers.Service, unread: MakeUnread, configure: str
) -> None:
    service = unread(configure)
    service.fill(100)
    assert service.stop() == 0
    assert not is_registered(nameserver, service.name)
    assert "Traceback" in service.read()


@pytest.mark.parametrize("configure", ["", "logging.basicConfig(level='INFO')"])
@pytest.mark.parametrize("how", ["record", "warning", "finalizer", "thread"])
def test_what_python_prints_by_itself_holds_up_neither_calls_nor_the_end(
    how: str, unread: MakeUnread, configure: str
) -> None:
    service = unread(configure)
    for number in range(20):
        service.let_print(how, f"text {number}")
    assert service.stop() == 0
    assert "text 0." in service.read()


def test_what_was_dropped_is_counted(unread: MakeUnread) -> None:
    service = unread()
    service.fill(100)
    text = service.read(r"WARNING pycom: \d+ records of the log were dropped")
    assert service.stop() == 0
    text += service.read()
    dropped = [int(count) for count in re.findall(r"(\d+) records of the log were dropped", text)]
    assert sum(dropped) + text.count("Traceback") == 100
    assert sum(dropped) > 0


def test_handlers_that_block_do_not_hold_up_the_end(
    nameserver: helpers.Service, unread: MakeUnread
) -> None:
    """They hold up a call, which gets its full time."""
    configure = (
        "class Own(logging.Handler):\n"
        "    def emit(self, record):\n"
        "        os.write(2, self.format(record).encode())\n"
        "logging.getLogger().addHandler(Own())"
    )
    service = unread(configure, PYCOM_DRAIN_TIMEOUT="100")
    with pytest.raises(pycom.ServiceNotAvailable):
        service.fill(100, timeout=1000)
    assert service.stop() == 1
    assert not is_registered(nameserver, service.name)
