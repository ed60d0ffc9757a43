"""The command line, as a person or a script uses it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import helpers
import pytest
import zmq
from click.testing import CliRunner
from helpers import pycom, run
from in_process import Distributions, running

from pycom_core import Runtime, ServiceServer, cli, constants
from pycom_plugins.nameserver.service import NameServer

SERVICE = '''
import time

import pycom


@pycom.interface("com.foo.tools")
class Tools(pycom.Service):
    """Of all kinds."""

    @pycom.method
    def echo(self, request, value=None, other=None):
        """Say it again.

        And again.
        """
        return {"value": value, "other": other}

    @pycom.method
    def fail(self, request, text):
        raise pycom.RemoteError(text, code=77)

    @pycom.method
    def crash(self, request):
        raise ValueError("a secret")

    @pycom.method(results=("size", "twice"), attachments=("data", "twice"))
    def twice(self, request, data):
        return len(data), bytes(data) * 2

    @pycom.method
    def slow(self, request, seconds):
        time.sleep(seconds)
'''

COMMANDS = ("run", "nameserver", "call", "ls", "describe", "plugins", "demo")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a module that is a service, and some that are not."""
    directory = tmp_path_factory.mktemp("modules")
    (directory / "tools.py").write_text(SERVICE)
    (directory / "broken.py").write_text("import nowhere_to_be_found")
    (directory / "wrong.py").write_text("class:")
    (directory / "leaves.py").write_text("raise SystemExit('bye')")
    (directory / "empty.py").write_text("x = 1")
    return directory


@pytest.fixture(scope="module")
def network(directory: Path) -> Iterator[tuple[str, str]]:
    """Addresses of a nameserver, and of the service that it knows."""
    with helpers.Processes() as processes:
        nameserver = processes.nameserver("-s", "/org/pycom/nameserver")
        service = processes.service(
            *("tools", "pycom.apps.demo"),
            nameserver=nameserver,
            directory=directory,
            arguments=["-s", "/com/foo/one"],
        )
        yield nameserver.address, service.address


@pytest.fixture
def call(network: tuple[str, str]) -> Any:
    """Runs `pycom call -n … com.foo.tools`."""

    def call(method: str, *arguments: str, **options: Any) -> Any:
        return pycom("call", "-n", network[0], "com.foo.tools", method, *arguments, **options)

    return call


Here = Callable[..., Any]


@pytest.fixture
def here(default_runtime: Callable[[], Runtime]) -> Here:
    """Run `pycom` in this process, which is quicker."""

    def run(*arguments: str, **environ: str) -> Any:
        return CliRunner().invoke(cli.main, arguments, env=environ)

    return run


# Help.


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_all_commands(flag: str) -> None:
    ran = pycom(flag)
    assert (ran.returncode, ran.stderr) == (0, "")
    listed = [line.split()[0] for line in ran.stdout.split("Commands:")[1].splitlines() if line]
    assert set(COMMANDS) <= set(listed)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(command: str) -> None:
    ran = pycom(command, "--help")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"Usage: pycom {command} ")


def test_short_flag_of_help_everywhere() -> None:
    assert pycom("ls", "-h").stdout.startswith("Usage: pycom ls ")
    assert "MODULE..." in run(sys.executable, "-m", "pycom", "-h").stdout
    assert "[MODULE]..." in run(helpers.script("pycom-nameserver"), "-h").stdout


def test_version() -> None:
    ran = pycom("--version")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.strip().endswith(constants.__version__)


def test_help_loads_little() -> None:
    """Help is needed often, by completion too, so slow imports are left out."""
    code = """
import atexit, sys
from pycom_core.cli import main
heavy = ["asyncio", "attr", "msgspec", "rich", "sqlite3", "zmq"]
atexit.register(lambda: print("loaded:", [name for name in heavy if name in sys.modules]))
main(["--help"])
"""
    assert run(sys.executable, "-c", code).stdout.splitlines()[-1] == "loaded: []"


def test_unknown_command_and_option() -> None:
    for arguments in (["nonsense"], ["ls", "--nonsense"], ["call"], ["run"]):
        ran = pycom(*arguments)
        assert ran.returncode == 2
        assert ran.stdout == ""
        assert "Error: " in ran.stderr
        assert "Traceback" not in ran.stderr


# Services.


class Ended(helpers.Service):
    """A service that ends well when it is closed."""

    def __init__(self, script: str, *arguments: str, at: Path, **environ: str) -> None:
        super().__init__(helpers.script(script), *arguments, directory=at, **environ)

    def close(self) -> None:
        assert self.stop() == 0, self.output


def ping(address: str, interface: str = "com.foo.tools", method: str = "echo") -> Any:
    """The result of a call."""
    with helpers.Dealer(address) as dealer:
        return dealer.call(interface, method, {})["result"]


def test_run_with_several_nameservers(processes: helpers.Processes, directory: Path) -> None:
    nameservers = [processes.nameserver() for _ in range(2)]
    flags = [flag for each in nameservers for flag in ("-n", each.address)]
    run_it = ["run", "-v", "-a", helpers.ANY_PORT, *flags, "-s", "/com/foo/two", "tools"]
    with contextlib.closing(Ended("pycom", *run_it, at=directory)) as service:
        for each in nameservers:
            each.wait_for("Registered /com/foo/two at")
        found = json.loads(pycom("ls", *flags, "--json", "com.foo").stdout)
        assert [item["address"] for item in found] == [service.address]
        nameservers[0].kill()
        ran = pycom("call", "-t", "6000", *flags, "com.foo.tools", "echo", "value=1")
        assert json.loads(ran.stdout) == {"value": 1, "other": None}


@pytest.mark.parametrize("threads", ["2", "auto"])
def test_run_several_modules_with_threads(directory: Path, threads: str) -> None:
    modules = ["tools", "pycom.apps.demo", "pycom.apps.nameserver"]
    run_it = ["run", "-a", helpers.ANY_PORT, "--threads", threads, *modules]
    with contextlib.closing(Ended("pycom", *run_it, at=directory)) as service:
        assert ping(service.address) == {"value": None, "other": None}
        assert ping(service.address, "org.pycom.demo") == {}
        assert ping(service.address, constants.NS_INTERFACE, "stat") is not None


def test_run_by_configuration(directory: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'address = "{helpers.ANY_PORT}"\nservice = "/com/foo/file"\n')
    run_it = contextlib.closing(Ended("pycom", "run", "-c", str(config), "tools", at=directory))
    with run_it as service:
        assert service.name == "/com/foo/file"
    environ = {"PYCOM_CONFIG": str(config), "PYCOM_SERVICE": "/com/foo/environment"}
    with contextlib.closing(Ended("pycom", "run", "tools", at=directory, **environ)) as service:
        assert service.name == "/com/foo/environment"
    run_it = contextlib.closing(
        Ended("pycom", "run", "-s", "/com/foo/flag", "tools", at=directory, **environ)
    )
    with run_it as service:
        assert service.name == "/com/foo/flag"


def test_nameserver(tmp_path: Path) -> None:
    backend = f"sqlite://{tmp_path / 'services.db'}"
    arguments = ["nameserver", "-a", helpers.ANY_PORT, "--backend", backend]
    record = {"address": "tcp://127.0.0.1:1", "service": "/com/foo/one", "interfaces": ["com.foo"]}
    with (
        contextlib.closing(Ended("pycom", *arguments, at=tmp_path)) as nameserver,
        helpers.Dealer(nameserver.address) as dealer,
    ):
        assert nameserver.name == "/org/pycom/nameserver"
        assert dealer.call(constants.NS_INTERFACE, "register", record)["code"] == 0
    with contextlib.closing(Ended("pycom", *arguments, at=tmp_path)) as nameserver:
        found = json.loads(pycom("ls", "-n", nameserver.address, "--json", "com.foo").stdout)
        assert found == [record]


def test_script_of_the_nameserver(directory: Path, network: tuple[str, str]) -> None:
    """All flags; and it serves modules, which it registers with another nameserver if told so."""
    script = "pycom-nameserver"
    flags = ["-v", "-a", helpers.ANY_PORT, "-n", network[0], "-s", "/com/foo/beside", "tools"]
    with contextlib.closing(Ended(script, *flags, at=directory)) as nameserver:
        assert nameserver.name == "/com/foo/beside"
        assert ping(nameserver.address) == {"value": None, "other": None}
        assert ping(nameserver.address, constants.NS_INTERFACE, "list_services") == []


# Calls.


VALUES = {
    "5": 5,
    "-1.5e3": -1500.0,
    "true": True,
    "null": None,
    '"5"': "5",
    '{"a": [1, {}]}': {"a": [1, {}]},
    "word": "word",
    "two words": "two words",
    "True": "True",
    "": "",
    "a=b=c": "a=b=c",
    "{open": "{open",
    "NaN": "NaN",
    "-Infinity": "-Infinity",
    "héllo, мир": "héllo, мир",
}


def test_call_takes_json_where_it_is_and_strings_elsewhere(network: tuple[str, str]) -> None:
    arguments = [f"v{number}={text}" for number, text in enumerate(VALUES)]
    ran = pycom("call", "-n", network[0], "org.pycom.demo", "echo", *arguments)
    assert (ran.returncode, ran.stderr) == (0, "")
    found = json.loads(ran.stdout)
    assert found == {f"v{number}": value for number, value in enumerate(VALUES.values())}


def test_call_prints_the_result(call: Any) -> None:
    ran = call("echo", "-s", "/com/foo/one", "value=1")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout) == {"value": 1, "other": None}


@pytest.mark.parametrize("half", ['"\\ud800"', b"\xff"])
def test_call_with_half_of_a_character(call: Any, half: Any) -> None:
    ran = call("echo", b"value=" + half if isinstance(half, bytes) else f"value={half}")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "\\ud" in ran.stdout
    assert len(json.loads(ran.stdout)["value"]) == 1


def test_output_that_the_terminal_does_not_know(network: tuple[str, str], call: Any) -> None:
    environ = {"PYTHONIOENCODING": "latin-1"}
    ran = call("echo", "value=→", environ=environ, text=False)
    assert (ran.returncode, json.loads(ran.stdout)["value"]) == (0, "→")
    arguments = ["describe", "-n", network[0], "com.foo.tools"]
    ran = pycom(*arguments, environ=environ, text=False)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"twice(data) \\u2192 size, twice" in ran.stdout


@pytest.mark.parametrize("argument", ["value", "=5"])
def test_call_with_what_is_no_argument(call: Any, argument: str) -> None:
    ran = call("echo", argument)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "write NAME=VALUE" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["echo", "value=1", "val=2"],
            "echo has no argument 'val'; it takes value, other",
        ),
        (
            ["crash", "now=1", "then=2"],
            "crash has no argument 'now', 'then'; it takes no arguments",
        ),
        (["echo", "value=1", "other=2", "value=1"], "'value' is given twice"),
        (["twice", "data=abc"], "'data' is the attachment of twice"),
    ],
)
def test_call_with_arguments_that_are_wrong(call: Any, arguments: list[str], message: str) -> None:
    ran = call(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert message in " ".join(ran.stderr.replace("│", "").split())


@pytest.mark.parametrize("timeout", ["nan", "0", "-5", "soon"])
def test_call_with_what_is_no_timeout(call: Any, timeout: str) -> None:
    ran = call("echo", "-t", timeout)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "--timeout" in ran.stderr


def test_call_without_a_timeout(call: Any) -> None:
    ran = call("echo", "-t", "inf", "value=1")
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fail", "text=No, I will not"], "pycom: error 77: No, I will not"),
        (["crash"], "pycom: error 1: Unknown error during request"),
        (["nothing"], "pycom: error 2: Method 'nothing' not found in interface com.foo.tools"),
        (["fail"], "pycom: error 4: Argument 'text' is required for com.foo.tools.fail"),
        (["echo", "-s", "/com/foo/other"], "pycom: error 3: "),
    ],
)
def test_call_that_fails_there(call: Any, arguments: list[str], message: str) -> None:
    ran = call(*arguments)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(message)
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "command", [["call", "com.foo.unknown", "echo"], ["describe", "com.foo.unknown"]]
)
def test_unknown_interface(network: tuple[str, str], command: list[str]) -> None:
    ran = pycom(command[0], "-n", network[0], *command[1:])
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        "pycom: error 3: No service provides 'com.foo.unknown'; `pycom ls` lists what there is\n"
    )


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "soon"])
def test_timeout_that_is_none(timeout: str, here: Here) -> None:
    ran = here("ls", "-n", "tcp://127.0.0.1:1", "-t", timeout)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "Invalid value for '-t' / '--timeout'" in ran.stderr


def test_timeout_names_the_call(call: Any) -> None:
    ran = call("slow", "seconds=0.3", "-t", "100")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(
        "pycom: com.foo.tools.slow of /com/foo/one: No answer from ipc:///"
    )
    assert ran.stderr.endswith(" within 100 ms\n")


def test_nobody_answers() -> None:
    # An address that is bound but not served stays free of others.
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        ran = pycom("ls", "-n", f"tcp://127.0.0.1:{port}", "-t", "50")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("pycom: error 3: No nameserver answers: ")
    assert len(ran.stderr.splitlines()) == 1


FOREVER = str(10 * helpers.PATIENCE * 1000)  # ms; far longer than the test may take
PROBLEMS = {
    "refuses": ("tcp://127.0.0.1:1", "tcp://127.0.0.1:1: Connection refused"),
    "unknown name": (
        "tcp://nowhere.invalid:2012",
        "tcp://nowhere.invalid:2012: the host name 'nowhere.invalid' cannot be resolved",
    ),
}


@pytest.mark.parametrize(("address", "problem"), PROBLEMS.values(), ids=PROBLEMS)
@pytest.mark.parametrize(
    "command",
    ["ls", "call com.foo.tools echo", "describe com.foo.tools", "stubs x", "bench x y"],
)
def test_nameserver_that_cannot_be_reached_is_named_at_once(
    command: str, address: str, problem: str, here: Here
) -> None:
    ran = here(*command.split(), "-n", address, "-t", FOREVER)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr == (
        f"pycom: error 3: No nameserver answers: {problem}. "
        "Name one with -n ADDRESS or PYCOM_NAMESERVER\n"
    )


def test_replica_that_cannot_be_reached_is_passed_over(
    network: tuple[str, str], here: Here
) -> None:
    replicas = ["-n", "tcp://127.0.0.1:1", "-n", network[0], "-n", "tcp://nowhere.invalid:1"]
    ran = here("ls", *replicas, "-t", FOREVER)
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert "/com/foo/one" in ran.stdout


@pytest.mark.parametrize("command", ["call com.foo.gone echo", "describe com.foo.gone"])
def test_service_that_cannot_be_reached_is_named_at_once(
    processes: helpers.Processes, command: str, here: Here
) -> None:
    nameserver = processes.nameserver()
    record = {"address": "tcp://127.0.0.1:1", "service": "/gone", "interfaces": ["com.foo.gone"]}
    with helpers.Dealer(nameserver.address) as dealer:
        assert dealer.call(constants.NS_INTERFACE, "register", record)["code"] == 0
    ran = here(*command.split(), "-n", nameserver.address, "-t", FOREVER)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr == (
        "pycom: The service of com.foo.gone cannot be reached: tcp://127.0.0.1:1: "
        "Connection refused\n"
    )


def test_nameserver_is_found_at_its_default_address(
    here: Here, network: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "NS_DEFAULT_ADDRESS", network[0])
    ran = here("ls")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert "/com/foo/one" in ran.stdout
    assert here("call", "com.foo.tools", "echo").exit_code == 0
    # A named one has precedence.
    assert here("ls", PYCOM_NAMESERVER="tcp://127.0.0.1:1").exit_code == 1
    monkeypatch.setattr(constants, "NS_DEFAULT_ADDRESS", "tcp://127.0.0.1:1")
    assert here("ls", PYCOM_NAMESERVER=network[0]).exit_code == 0


def test_nameservers_that_keep_silent_are_probed_at_one_time_and_no_longer_than_asked(
    here: Here, default_runtime: Callable[[], Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = ["tcp://192.0.2.1:1", "tcp://192.0.2.2:1"]
    together, asked = threading.Barrier(len(silent)), []

    def obstacle(self: Runtime, address: str, timeout: float) -> str:
        together.wait(helpers.PATIENCE)
        asked.append((address, timeout))
        return "silence"

    monkeypatch.setattr(Runtime, "obstacle", obstacle)
    ran = here("ls", "-t", "100", "-n", silent[0], "-n", silent[1])
    assert ran.exit_code == 1
    assert sorted(address for address, _ in asked) == silent
    assert all(timeout <= 100 for _, timeout in asked)


def test_no_nameserver_at_its_default_address(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "NS_DEFAULT_ADDRESS", "tcp://127.0.0.1:1")
    ran = here("ls")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr.startswith("pycom: error 3: No nameserver answers: tcp://127.0.0.1:1: Conn")
    assert ran.stderr.endswith("Name one with -n ADDRESS or PYCOM_NAMESERVER\n")


def test_nameserver_of_the_process_goes_before_the_default(
    default_runtime: Callable[[], Runtime], here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "NS_DEFAULT_ADDRESS", "tcp://127.0.0.1:1")
    with running(ServiceServer([helpers.ANY_PORT], [NameServer()], default_runtime())):
        ran = here("ls")
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert ran.stderr == "pycom: no service has registered\n"


def test_attachments(call: Any, tmp_path: Path) -> None:
    sent, saved = tmp_path / "sent", tmp_path / "saved"
    sent.write_bytes(b"\0\xff")
    ran = call("twice", "--attachment", str(sent), "--save", str(saved))
    assert (ran.returncode, ran.stderr, json.loads(ran.stdout)) == (0, "", {"size": 2})
    assert saved.read_bytes() == b"\0\xff\0\xff"


def test_attachment_to_standard_output(call: Any, tmp_path: Path) -> None:
    ran = call("twice", "--attachment", "-", "--save", "-", input=b"\0\xff", text=False)
    assert (ran.returncode, ran.stdout) == (0, b"\0\xff\0\xff")
    assert json.loads(ran.stderr) == {"size": 2}


def test_attachment_that_cannot_be_saved_is_refused_before_the_call(
    here: Here, tmp_path: Path
) -> None:
    ran = here("call", "com.foo.tools", "twice", "--save", str(tmp_path / "no" / "file"))
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "Invalid value for '--save': There is no directory" in ran.stderr


def test_attachment_that_does_not_come(call: Any, tmp_path: Path) -> None:
    ran = call("echo", "--save", str(tmp_path / "saved"))
    assert (ran.returncode, json.loads(ran.stdout)["value"]) == (0, None)
    assert ran.stderr.startswith("pycom: no attachment came back, so ")
    assert list(tmp_path.iterdir()) == []


def test_attachment_from_standard_input_that_nobody_saves(call: Any) -> None:
    ran = call("twice", "--attachment", "-", input=b"abc", text=False)
    assert (ran.returncode, json.loads(ran.stdout)) == (0, {"size": 3})
    assert ran.stderr == b"pycom: an attachment of 6 bytes came back (--save)\n"


def test_attachment_that_cannot_be_read(call: Any, tmp_path: Path) -> None:
    ran = call("twice", "--attachment", str(tmp_path / "nothing"))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "No such file" in ran.stderr


# Lists.


def test_ls(network: tuple[str, str], here: Here) -> None:
    nameserver, service = network
    interfaces = ["com.foo.tools", "org.pycom.demo"]
    mine = f"/com/foo/one\t{service}\t{', '.join(interfaces)}"
    ran = pycom("ls", "-n", nameserver)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert mine in ran.stdout.splitlines()
    assert pycom("ls", "-n", nameserver, "com[.]foo").stdout == f"{mine}\n"
    for part in ("tools", "o[.]t", "tools$|nothing", "(?i)TOOLS", "^com"):
        assert here("ls", "-n", nameserver, part).stdout == f"{mine}\n"
    ran = here("ls", "-n", nameserver, "^foo")
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert ran.stderr == "pycom: no service has an interface like '^foo'\n"
    assert json.loads(pycom("ls", "-n", nameserver, "--json", "com.foo").stdout) == [
        {"service": "/com/foo/one", "address": service, "interfaces": interfaces}
    ]


def test_ls_with_a_bad_expression(network: tuple[str, str]) -> None:
    ran = pycom("ls", "-n", network[0], "(")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("pycom: error 4: ")


def test_describe(network: tuple[str, str]) -> None:
    ran = pycom("describe", "-n", network[0], "com.foo.tools")
    assert (ran.returncode, ran.stderr) == (0, "")
    title, *methods = ran.stdout.splitlines()
    assert title == "com.foo.tools: Of all kinds."
    assert methods[:3] == ["crash()\t", "echo(value=…, other=…)\tSay it again.", "fail(text)\t"]
    assert methods[-1] == "twice(data) → size, twice\t"
    found = json.loads(pycom("describe", "-n", network[0], "--json", "com.foo.tools").stdout)
    assert found["methods"]["fail"]["required_arguments"] == ["text"]


def test_tables_are_drawn_where_a_person_looks(network: tuple[str, str]) -> None:
    person, terminal = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "200", "NO_COLOR": ""}
    command = [helpers.script("pycom"), "ls", "-n", network[0]]
    with subprocess.Popen(command, env=environ, stdout=terminal) as process:
        os.close(terminal)
        seen = helpers.shown_on(person)
    assert process.returncode == 0
    header, *rows = seen.decode().splitlines()
    assert "\x1b[1m" in header
    assert "interfaces" in header
    assert any("/com/foo/one" in row and "\t" not in row for row in rows)


def test_plugins() -> None:
    environ = {"PYCOM_PLUGINS": '{"disable": ["demo"]}'}
    ran = pycom("plugins", environ=environ)
    assert (ran.returncode, ran.stderr) == (0, "")
    rows = {name: rest for name, *rest in (line.split("\t") for line in ran.stdout.splitlines())}
    ours = f"pycom {constants.__version__}"
    assert rows["call"][:4] == [ours, "active", "pycom_cli, pycom_commands", "CALL"]
    assert rows["demo"] == [ours, "disabled", "", "", "0.0 ms"]
    assert rows["nameserver_memory"][1:4] == ["active", "pycom_nameserver_backends", "memory"]

    listed = json.loads(pycom("plugins", "--json", environ=environ).stdout)
    by_name = {item["name"]: item for item in listed}
    assert by_name.keys() == rows.keys()
    assert by_name["demo"]["state"] == "disabled"
    assert by_name["sessions_memory"]["contributions"] == {"pycom_session_stores": ["memory"]}
    assert {"distribution", "version", "hooks", "reason"} <= by_name["call"].keys()


# What the user has to mend: one message, status 2.


def assert_one_message(ran: Any, *parts: str) -> None:
    assert ran.returncode == 2, ran
    assert ran.stdout == ""
    [message] = ran.stderr.splitlines()
    assert message.startswith("pycom: ")
    for part in parts:
        assert part in message


WRONG_FILES = {
    "no JSON": ("c.json", "{", "c.json is not valid JSON"),
    "no TOML": ("c.toml", "= 1", "c.toml is not valid TOML"),
    "no text": ("c.json", "\udcff", "c.json is not valid JSON"),
    "no table": ("c.json", "[]", "c.json must hold a table"),
    "unknown key": ("c.json", '{"adress": "x"}', "'adress' in c.json; did you mean 'address'?"),
    "unknown inner key": ("c.toml", "[plugins]\ndisabel = []", "did you mean 'disable'?"),
    "wrong type": ("c.json", '{"address": 5}', "address in c.json: "),
    "bad value": ("c.json", '{"threads": -1}', "threads is -1"),
    "bad word": ("c.json", '{"threads": "autom"}', """'autom'; write a number or "auto\""""),
    "backend": ("c.json", '{"nameserver_backend": "nix:"}', "nameserver_backend is 'nix:'"),
    "store": ("c.json", '{"session_store": "nix:"}', "session_store is 'nix:'"),
    "balancer": ("c.json", '{"balancer": "nix"}', "balancer is 'nix'"),
    "unknown plugin": ("c.json", '{"plugins": {"disable": ["nix"]}}', "nix"),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_wrong_configuration(case: str, directory: Path, tmp_path: Path) -> None:
    name, text, message = WRONG_FILES[case]
    (tmp_path / name).write_text(text, errors="surrogateescape")
    ran = pycom(
        *("run", "-a", helpers.ANY_PORT, "-c", name, "tools"),
        directory=tmp_path,
        environ={"PYTHONPATH": str(directory)},
    )
    assert_one_message(ran, message)


@pytest.mark.parametrize(
    "command",
    [
        ["pycom", "nameserver"],
        ["pycom", "ls"],
        ["pycom", "call", "com.foo.tools", "echo"],
        ["pycom", "describe", "com.foo.tools"],
        ["pycom", "plugins"],
        ["pycom-nameserver"],
    ],
    ids=" ".join,
)
def test_wrong_configuration_of_each_command(command: list[str], tmp_path: Path) -> None:
    config = tmp_path / "c.json"
    config.write_text('{"adress": "x"}')
    ran = run(helpers.script(command[0]), *command[1:], "-c", str(config))
    assert_one_message(ran, "'adress'", "did you mean 'address'?")


def test_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    assert_one_message(pycom("ls", "-c", str(tmp_path)), "Cannot read", str(tmp_path))
    missing = str(tmp_path / "missing.json")
    assert_one_message(pycom("nameserver", environ={"PYCOM_CONFIG": missing}), missing)


def test_wrong_environment(directory: Path) -> None:
    ran = pycom("run", "tools", environ={"PYCOM_THREADS": "many"}, directory=directory)
    assert_one_message(ran, "threads in the environment")


@pytest.mark.parametrize("threads", ["3x", "autom", "1.5", ""])
def test_wrong_threads(directory: Path, threads: str) -> None:
    ran = pycom("run", "--threads", threads, "tools", directory=directory)
    assert ran.returncode == 2
    assert f"{threads!r} is neither a number of threads nor 'auto'." in ran.stderr
    ran = pycom("run", "--threads", "-1", "tools", directory=directory)
    assert_one_message(ran, "threads is -1; it must be at least 0")


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("nowhere", "'nowhere': ModuleNotFoundError"),
        ("broken", "'broken': ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("wrong", "'wrong': SyntaxError"),
        ("leaves", "'leaves': SystemExit: bye"),
        ("empty", "'empty' provides no interface"),
    ],
)
def test_module_that_is_no_service(directory: Path, module: str, message: str) -> None:
    ran = pycom("run", "-a", helpers.ANY_PORT, module, directory=directory)
    message_only, *frames = ran.stderr.splitlines(keepends=True)
    ran.stderr = message_only
    assert_one_message(ran, message)
    where = f'  File "{directory / module}.py", line 1, in <module>\n'
    assert frames[:1] == ([where] if module in ("broken", "leaves") else [])


@pytest.mark.parametrize(
    "command", [[sys.executable, "-m", "pycom"], [helpers.script("pycom-nameserver")]]
)
def test_module_that_is_no_service_in_the_other_ways_in(
    directory: Path, command: list[str]
) -> None:
    ran = run(*command, "-a", helpers.ANY_PORT, "empty", directory=directory)
    assert_one_message(ran, "'empty' provides no interface")


@pytest.mark.parametrize(
    "address", ["nonsense", "", "tcp://127.0.0.1", "tcp://127.0.0.1:99999", "nix://127.0.0.1:1"]
)
def test_wrong_address(directory: Path, address: str) -> None:
    for flags in (["-a", address], ["-a", helpers.ANY_PORT, "-n", address]):
        ran = pycom("run", *flags, "tools", directory=directory)
        assert_one_message(ran, repr(address))


@pytest.mark.parametrize(
    "command",
    [
        ["nameserver", "-a"],
        ["ls", "-n"],
        ["call", "com.foo.tools", "echo", "-n"],
        ["describe", "com.foo.tools", "-n"],
    ],
    ids=" ".join,
)
def test_wrong_address_of_each_command(command: list[str]) -> None:
    assert_one_message(pycom(*command, "nonsense"), "'nonsense'")


def test_address_that_is_taken(directory: Path, network: tuple[str, str]) -> None:
    ran = pycom("run", "-a", network[1], "tools", directory=directory)
    assert_one_message(ran, network[1], "Address already in use")


def test_service_without_an_address(directory: Path) -> None:
    ran = run(sys.executable, "-m", "pycom", "tools", directory=directory)
    assert_one_message(ran, "needs an address")


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ("main()", "A service needs an address to listen on: "),
        ("main(['tools'])", "A service needs an address to listen on: "),
        ("main(['-a', 'tcp://127.0.0.1:*', 'empty'])", "The module 'empty' provides no interface"),
        ("main(['--nonsense'])", "No such option"),
    ],
)
def test_program_that_cannot_start_ends_with_a_sentence(
    call: str, sentence: str, directory: Path
) -> None:
    ran = run(sys.executable, "-c", f"import pycom; pycom.{call}", directory=directory)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(f"pycom: {sentence}")
    assert len(ran.stderr.splitlines()) == 1


# Plugins that have commands, or should have.


def test_command_of_a_plugin(tmp_path: Path) -> None:
    plugin(tmp_path, "@group.command()\ndef hello(): print('hello')")
    environ = {"PYTHONPATH": str(tmp_path)}
    assert pycom("hello", environ=environ).stdout == "hello\n"
    assert "hello" in pycom("--help", environ=environ).stdout


def plugin(folder: Path, body: str, name: str = "mine") -> None:
    """Install a plugin whose `pycom_cli` has that body."""
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    Distributions(folder).plugin(name, f"@hookimpl\ndef pycom_cli(group):\n{indented}")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("1 / 0", "failed in pycom_cli: ZeroDivisionError"),
        ("@group.command()\ndef run(): print('mine')", "adds a second command 'run'"),
        ("@group.command()\ndef demo(): print('mine')", "adds a second command 'demo'"),
        ("group.commands['zz'] = 3", "adds 3 as 'zz', and no command"),
    ],
)
def test_plugin_whose_commands_are_wrong(tmp_path: Path, body: str, reason: str) -> None:
    plugin(tmp_path, body)
    ran = pycom("--help", environ={"PYTHONPATH": str(tmp_path)})
    assert ran.returncode == 0
    assert "  ls " in ran.stdout
    [warning] = ran.stderr.splitlines()
    assert warning.startswith("pycom: warning: The plugin 'mine' of dist-mine 1.0 ")
    assert reason in warning
    assert "print" not in pycom("run", "--help", environ={"PYTHONPATH": str(tmp_path)}).stdout


def test_broken_plugin(tmp_path: Path, network: tuple[str, str]) -> None:
    Distributions(tmp_path).plugin("bad", "import nowhere_to_be_found")
    environ = {"PYTHONPATH": str(tmp_path)}
    who, why = "The plugin 'bad' of dist-bad 1.0", "No module named 'nowhere_to_be_found'"

    ran = pycom("--help", environ=environ)
    assert ran.returncode == 0
    assert "  nameserver " in ran.stdout
    [warning] = ran.stderr.splitlines()
    assert warning.startswith(f"pycom: warning: {who}")
    assert why in warning

    for command in (["ls", "-n", network[0]], ["nameserver", "-a", helpers.ANY_PORT]):
        assert_one_message(pycom(*command, environ=environ), who, why, "plugins.disable")

    listed = json.loads(pycom("plugins", "--json", environ=environ).stdout)
    [bad] = [item for item in listed if item["name"] == "bad"]
    assert (bad["state"], bad["distribution"], bad["version"]) == ("failed", "dist-bad", "1.0")
    assert why in bad["reason"]

    disabled = {**environ, "PYCOM_PLUGINS": '{"disable": ["bad"]}'}
    ran = pycom("--help", environ=disabled)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "bad\tdist-bad 1.0\tdisabled\t\t" in pycom("plugins", environ=disabled).stdout


def test_plugin_that_wants_a_server_is_listed_too(tmp_path: Path) -> None:
    Distributions(tmp_path).plugin(
        "mine",
        """
        from pycom_core import BaseCommand
        @hookimpl
        def pycom_commands(server): return {server.sessions and b'MINE': BaseCommand(server)}
        """,
    )
    ran = pycom("plugins", environ={"PYTHONPATH": str(tmp_path)})
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "mine\tdist-mine 1.0\tactive\tpycom_commands\tMINE\t" in ran.stdout


def test_disabled_plugin_has_no_commands(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"plugins": {"disable": ["demo"]}}')
    for environ in (
        {"PYCOM_PLUGINS": '{"disable": ["demo"]}'},
        {"PYCOM_CONFIG": str(config)},
    ):
        ran = pycom("--help", environ=environ)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert "demo" not in ran.stdout.split("Commands:")[1]
        ran = pycom("demo", environ=environ)
        assert ran.returncode == 2
        assert "No such command 'demo'" in ran.stderr


def test_command_of_a_plugin_that_its_own_configuration_disables(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"plugins": {"disable": ["nameserver_service"]}}')
    ran = pycom("nameserver", "-a", helpers.ANY_PORT, "-c", str(config))
    assert_one_message(ran, "'nameserver_service'", "'nameserver'", "disabled")


def test_help_in_an_environment_that_is_wrong() -> None:
    for value in ("nonsense", '{"disable": 5}'):
        ran = pycom("--help", environ={"PYCOM_PLUGINS": value})
        assert ran.returncode == 0
        assert "  nameserver " in ran.stdout
        [warning] = ran.stderr.splitlines()
        assert warning.startswith("pycom: warning: plugins")
