"""The commands that keep the users, and the one that runs the authenticator."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import helpers
import pytest
from click.testing import CliRunner, Result

from pycom_core.cli import main
from pycom_core.runtime._runtime import load_settings
from pycom_plugins.authentication import passwords
from pycom_plugins.authentication.commands import users
from pycom_plugins.authentication.users import User, Users

Run = Callable[..., Result]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "users.json"


@pytest.fixture
def run(path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `pycom users` on a file."""
    monkeypatch.delenv("PYCOM_CONFIG", raising=False)

    def run(command: str, *arguments: str, given: str | None = None) -> Result:
        words = ["users", command, "--users", str(path), *arguments]
        return CliRunner().invoke(main, words, input=given)

    return run


def test_add(run: Run, path: Path) -> None:
    added = run("add", "ann", "--role", "user", "--role", "admin", "--password-stdin", given="pw\n")
    assert (added.output, added.exit_code) == ("Added ann\n", 0)
    user = Users(path).all()["ann"]
    assert user.roles == ("user", "admin")
    assert passwords.matches(user.password, "pw")
    assert path.stat().st_mode & 0o777 == 0o600


def test_add_again(run: Run, path: Path) -> None:
    run("add", "ann", "--role", "user", "--password-stdin", given="pw\n")
    changed = run("add", "ann", "--password-stdin", given="other\n")
    assert (changed.output, changed.exit_code) == ("Changed ann\n", 0)
    user = Users(path).all()["ann"]
    assert user.roles == ()
    assert passwords.matches(user.password, "other")


def test_the_password_is_asked_for_twice_and_not_shown(run: Run, path: Path) -> None:
    added = run("add", "ann", given="my password\nmy password\n")
    assert added.exit_code == 0
    assert added.output.count("Password") == 1
    assert added.output.count("Repeat") == 1
    assert "my password" not in added.output
    assert passwords.matches(Users(path).all()["ann"].password, "my password")


def test_a_slip_of_the_fingers(run: Run, path: Path) -> None:
    assert run("add", "ann", given="one\ntwo\n").exit_code != 0
    assert not path.exists()


@pytest.mark.parametrize("given", ["", "\n", "x" * 1025])
def test_what_is_no_password(given: str, run: Run, path: Path) -> None:
    refused = run("add", "ann", "--password-stdin", given=given)
    assert refused.exit_code == 2
    assert "A password has 1 to 1024 characters" in refused.output
    assert not path.exists()


@pytest.mark.parametrize(
    "arguments", [[""], [" "], ["a\nb"], ["a" * 1025], ["ann", "--role", "\x1b[2J"]]
)
def test_what_is_no_name(arguments: list[str], run: Run, path: Path) -> None:
    refused = run("add", "--password-stdin", *arguments, given="pw\n")
    assert refused.exit_code == 2
    assert "is no name" in refused.output
    assert not path.exists()


def test_there_is_no_way_to_put_the_password_on_the_command_line() -> None:
    names = {name for option in users.commands["add"].params for name in option.opts}
    assert names == {"-c", "--config", "--users", "--role", "--password-stdin", "name"}


def test_list_and_remove(run: Run, path: Path) -> None:
    with Users(path).changed() as found:
        found["bob"] = User("hash")
        found["ann"] = User("hash", ("user", "admin"))
    assert run("list").output == "ann\tuser, admin\nbob\t\n"
    removed = run("remove", "ann")
    assert (removed.output, removed.exit_code) == ("Removed ann\n", 0)
    assert run("list").output == "bob\t\n"
    again = run("remove", "ann")
    assert again.exit_code == 1
    assert f"There is no user 'ann' in {path}" in again.output


@pytest.mark.parametrize("command", [["list"], ["remove", "ann"]])
def test_a_file_that_is_not_there(command: list[str], run: Run, path: Path) -> None:
    failed = run(*command)
    assert failed.exit_code == 2
    assert f"Cannot read the file of users {path}" in failed.output
    assert not path.exists()


def test_the_file_of_the_configuration(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Users(path).changed() as found:
        found["ann"] = User("hash")
    config = tmp_path / "pycom.json"
    config.write_text(json.dumps({"authenticator": {"users": str(path)}}))
    assert CliRunner().invoke(main, ["users", "list", "-c", str(config)]).output == "ann\t\n"
    monkeypatch.setenv("PYCOM_CONFIG", str(config))
    assert CliRunner().invoke(main, ["users", "list"]).output == "ann\t\n"


def test_another_file_than_the_one_of_the_configuration(path: Path, tmp_path: Path) -> None:
    config = tmp_path / "pycom.toml"
    config.write_text('[authenticator]\nusers = "other"\ntoken_lifetime = 5\n')
    told = load_settings(config, authenticator={"users": str(path)})
    assert told.tables["authenticator"] == {"users": str(path), "token_lifetime": 5}


def test_no_file_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYCOM_CONFIG", raising=False)
    failed = CliRunner().invoke(main, ["users", "list"])
    assert failed.exit_code == 2
    assert "--users FILE, or authenticator.users in the configuration" in failed.output


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--users", "/nowhere/users.json"], "Cannot read the file of users /nowhere/users.json"),
        ([], "Where are the users"),
    ],
)
def test_an_authenticator_that_cannot_start(
    arguments: list[str], problem: str, processes: helpers.Processes
) -> None:
    program = processes.program(helpers.script("pycom"), "authenticator", *arguments)
    assert program.wait() == 2
    assert problem in program.output
    assert "Traceback" not in program.output


def test_a_user_who_is_added_while_it_runs(
    processes: helpers.Processes, nameserver: helpers.Service, run: Run, path: Path
) -> None:
    run("add", "ann", "--password-stdin", given="pw\n")
    command = [helpers.script("pycom"), "authenticator", "--users", str(path), "-s", "/auth"]
    where = ["-a", helpers.ANY_PORT, "-n", nameserver.address]
    started = processes._kept(helpers.Service(*command, *where))
    assert started.name == "/auth"
    with helpers.Dealer(started.address) as dealer:
        log_in = {"user": "bob", "credentials": "pw"}
        assert dealer.call("org.pycom.authenticator", "authenticate", log_in)["code"] == 5
        run("add", "bob", "--role", "user", "--password-stdin", given="pw\n")
        answer = dealer.call("org.pycom.authenticator", "authenticate", log_in)
        assert answer["code"] == 0
        found = dealer.call("org.pycom.authenticator", "validate", answer["result"])
        assert found["result"] == {"name": "bob", "roles": ["user"]}
    assert started.stop() == 0
