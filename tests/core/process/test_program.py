"""The group of all commands: how `pycom` treats plugins and errors, within the process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import click
import pytest

from pycom_core import (
    AccessDenied,
    CallTimeout,
    ConfigurationError,
    PluginError,
    PycomError,
    RemoteError,
    ServiceNotAvailable,
    hookimpl,
)
from pycom_core.plugins._manager import Plugins
from pycom_core.process._program import (
    Extensible,
    Program,
    disabled_plugins,
    refusal,
    reported_errors,
)

Add = Callable[[Any], object]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is configured."""
    for variable in ("PYCOM_CONFIG", "PYCOM_PLUGINS"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def adding(monkeypatch: pytest.MonkeyPatch) -> dict[str, Add]:
    """The function of each plugin, by its name, that adds to the group."""
    adds: dict[str, Add] = {}

    def cli_plugins(disable: Iterable[str] = ()) -> Plugins:
        plugins = Plugins()
        for name, add in adds.items():
            if name not in disable:
                plugins.register(SimpleNamespace(pycom_cli=hook(add)), name)
        return plugins

    def hook(add: Add) -> Any:
        @hookimpl
        def pycom_cli(group: Any) -> None:
            add(group)

        return pycom_cli

    monkeypatch.setattr("pycom_core.plugins._manager.cli_plugins", cli_plugins)
    return adds


@pytest.fixture
def program() -> Program:
    """A program that has a command of the kernel, and a group that plugins may add to."""
    program = Program("pycom")
    program.add_command(command("own"))
    program.add_command(Extensible("open"))
    return program


def command(name: str, text: str | None = None) -> click.Command:
    """A command that prints its name, or something else."""
    return click.Command(name, callback=lambda: click.echo(text or name))


def run(program: Program, *arguments: str) -> int:
    """Run a command line; its exit status."""
    with pytest.raises(SystemExit) as caught:
        program.main(list(arguments), prog_name="pycom")
    status: int = caught.value.code  # type: ignore[assignment]
    return status


# Errors.


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ConfigurationError("mend it"), 2, "pycom: mend it\n"),
        (PluginError("mend the plugin"), 2, "pycom: mend the plugin\n"),
        (AccessDenied("not you"), 1, "pycom: error 5: not you\n"),
        (RemoteError("teapot", code=77), 1, "pycom: error 77: teapot\n"),
        (ServiceNotAvailable("gone"), 1, "pycom: gone\n"),
        (CallTimeout("late"), 1, "pycom: late\n"),
        (PycomError("else"), 1, "pycom: else\n"),
    ],
)
def test_error_is_a_line_and_a_status(
    error: PycomError,
    status: int,
    message: str,
    program: Program,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise error

    program.add_command(click.Command("fail", callback=fail))
    assert run(program, "fail") == status
    assert tuple(capsys.readouterr()) == ("", message)


@pytest.mark.parametrize("error", [KeyError("a bug"), KeyboardInterrupt(), SystemExit(7)])
def test_other_errors_are_not_hidden(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, reported_errors():
        raise error
    assert caught.value is error


def test_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    with reported_errors():
        pass
    assert tuple(capsys.readouterr()) == ("", "")


# Commands of plugins.


def test_command_of_a_plugin(
    program: Program, adding: dict[str, Add], capsys: pytest.CaptureFixture[str]
) -> None:
    adding["mine"] = lambda group: group.add_command(command("hello"))
    assert run(program, "hello") == 0
    assert tuple(capsys.readouterr()) == ("hello\n", "")
    assert program.owner("hello") == "mine"
    assert program.owner("own") is program.owner(None) is None


def test_plugins_are_not_asked_for_the_kernels_own(
    program: Program, adding: dict[str, Add], capsys: pytest.CaptureFixture[str]
) -> None:
    adding["mine"] = lambda group: pytest.fail("asked")
    assert run(program, "own") == 0
    assert capsys.readouterr().out == "own\n"


def test_plugins_are_asked_once_in_a_run(
    program: Program, adding: dict[str, Add], capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    adding["mine"] = asked.append
    assert run(program, "--help") == 0
    program.ask_plugins()
    assert asked == [program]
    assert run(program, "--help") == 0
    assert asked == [program] * 2


def test_plugins_add_to_open_groups(
    program: Program, adding: dict[str, Add], capsys: pytest.CaptureFixture[str]
) -> None:
    adding["mine"] = lambda group: group.commands["open"].add_command(command("more"))
    assert run(program, "open", "more") == 0
    assert run(program, "open", "--help") == 0
    assert "  more" in capsys.readouterr().out


def test_command_is_gone_with_its_plugin(
    program: Program, adding: dict[str, Add], capsys: pytest.CaptureFixture[str]
) -> None:
    adding["mine"] = lambda group: group.add_command(command("hello"))
    assert run(program, "hello") == 0
    adding.clear()
    assert run(program, "hello") == 2
    assert "No such command 'hello'" in capsys.readouterr().err
    assert program.owner("hello") is None
    assert run(program, "own") == 0


def test_first_command_of_a_name_stays(
    program: Program, adding: dict[str, Add], capsys: pytest.CaptureFixture[str]
) -> None:
    adding["one"] = lambda group: group.add_command(command("hello", "of one"))
    adding["two"] = lambda group: group.add_command(command("hello", "of two"))
    adding["bold"] = lambda group: group.add_command(command("own", "of bold"))
    problems = program.ask_plugins()
    last = "one" if program.owner("hello") == "two" else "two"
    assert sorted(" ".join(problem.split()[:3]) for problem in problems) == [
        "The plugin 'bold'",
        f"The plugin '{last}'",
    ]
    assert all("adds a second command" in problem for problem in problems)
    program.commands["hello"].callback()  # type: ignore[misc]
    program.commands["own"].callback()  # type: ignore[misc]
    assert capsys.readouterr().out == f"of {program.owner('hello')}\nown\n"


@pytest.mark.parametrize("arguments", [["--help"], ["nothing"], ["hello", "--help"]])
def test_problem_is_said_in_one_line_where_it_matters(
    arguments: list[str],
    program: Program,
    adding: dict[str, Add],
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(group: Any) -> None:
        group.add_command(command("hello"))
        raise ValueError("wrong\nin   two lines")

    adding["mine"] = fail
    run(program, *arguments)
    warnings = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    if arguments[0] == "hello":
        assert warnings == [], "it was added before the plugin failed"
    else:
        [warning] = warnings
        assert warning.startswith("pycom: warning: The plugin 'mine' ")
        assert "failed in pycom_cli: ValueError" in warning


def test_warning_is_one_line_and_said_once(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    problems = ["one\n  two", "three"]
    program.warn(problems)
    program.warn(problems)
    assert capsys.readouterr().err == "pycom: warning: one two\npycom: warning: three\n"


def test_plugin_that_fails_harms_no_other(
    program: Program, adding: dict[str, Add], capsys: pytest.CaptureFixture[str]
) -> None:
    adding["a"] = lambda group: 1 / 0
    adding["b"] = lambda group: group.add_command(command("hello"))
    adding["c"] = lambda group: 1 / 0
    assert run(program, "hello") == 0
    assert tuple(capsys.readouterr()) == ("hello\n", "")


def test_plugins_that_cannot_be_listed(
    program: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def cli_plugins(disable: Iterable[str] = ()) -> Plugins:
        raise PluginError("two have one name")

    monkeypatch.setattr("pycom_core.plugins._manager.cli_plugins", cli_plugins)
    assert run(program, "--help") == 0
    assert capsys.readouterr().err == "pycom: warning: two have one name\n"


# Plugins that the environment takes out.


def test_settings_are_read_where_there_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("pycom_core.settings.load", lambda **_: pytest.fail("read"))
        assert list(disabled_plugins()) == []
    monkeypatch.setenv("PYCOM_PLUGINS", '{"disable": ["demo", "mine"]}')
    assert list(disabled_plugins()) == ["demo", "mine"]


def test_disabled_plugin_is_not_asked(
    program: Program, adding: dict[str, Add], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYCOM_PLUGINS", '{"disable": ["mine"]}')
    adding["mine"] = lambda group: pytest.fail("asked")
    adding["another"] = lambda group: group.add_command(command("hello"))
    assert run(program, "hello") == 0


def test_wrong_environment_takes_nothing_out(
    program: Program,
    adding: dict[str, Add],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PYCOM_PLUGINS", "nonsense")
    adding["mine"] = lambda group: group.add_command(command("hello"))
    assert run(program, "--help") == 0
    out, err = capsys.readouterr()
    assert "  hello" in out
    assert err.startswith("pycom: warning: plugins")
    assert len(err.splitlines()) == 1


def test_error_that_would_command_the_terminal(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RemoteError("\x1b[2J\ud800", code=77)

    program.add_command(click.Command("fail", callback=fail))
    assert run(program, "fail") == 1
    assert tuple(capsys.readouterr()) == ("", "pycom: error 77: \\x1b[2J\\ud800\n")


# A mistake that ends a program of somebody else's.


def test_refusal_is_an_error_that_ends_a_program_with_a_sentence() -> None:
    for error in (ConfigurationError("mend it"), click.UsageError("mend it")):
        refused = refusal(error)
        assert isinstance(refused, ConfigurationError)
        assert isinstance(refused, SystemExit)
        assert (str(refused), refused.code) == ("mend it", "pycom: mend it")


def test_refusal_in_another_thread_is_no_end_without_a_word() -> None:
    found: list[BaseException] = []
    error = ConfigurationError("mend it")
    thread = threading.Thread(target=lambda: found.append(refusal(error)))
    thread.start()
    thread.join()
    assert type(found[0]) is ConfigurationError
    assert str(found[0]) == "mend it"


# Help.

LONG = (
    "Say in one sentence what this command of a plugin does, in more words than there is room for "
    "in one line of a terminal, which are all there."
)


@pytest.mark.parametrize("width", ["40", "60", "80", "200"])
def test_help_cuts_no_sentence_short(
    width: str,
    program: Program,
    adding: dict[str, Add],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", width)

    def add(group: click.Group) -> None:
        group.add_command(click.Command("far", help=f"{LONG} There is more of it.\n\nAnd more."))
        group.add_command(click.Command("hidden", help="Nobody sees it.", hidden=True))

        @group.group()
        def inner() -> None:
            """Have commands."""

        inner.add_command(click.Command("inmost", help=LONG))

    adding["mine"] = add
    for arguments in (["--help"], ["inner", "--help"]):
        assert run(program, *arguments) == 0
        listed = capsys.readouterr().out.partition("Commands:")[2]
        assert LONG in " ".join(listed.split())
        assert "more of it" not in listed
        assert "hidden" not in listed
        assert "..." not in listed
