"""The commands that make keys and networks."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import helpers
import pytest
from click.testing import CliRunner, Result

from pycom_core.cli import main
from pycom_plugins.security import commands, keyfiles, members, network
from pycom_plugins.security.keys import KeyPair
from pycom_plugins.security.members import Grant, Member, MemberKey

ADDRESS = "tcp://127.0.0.1:2012"

Run = Callable[..., Result]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def refused(*arguments: str) -> str:
    done = run(*arguments)
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    return done.output


@pytest.fixture
def plant(home: Path) -> Path:
    """The folder of a network."""
    assert run("network", "init", f"{home}/plant", "--nameserver", ADDRESS).exit_code == 0
    return home / "plant"


@pytest.fixture
def public(home: Path) -> str:
    return new_key(home / "key")


def new_key(path: Path) -> str:
    """Make a key, and return its public half."""
    return run("key", "new", str(path)).output.split()[-1]


def found(plant: Path) -> dict[str, Member]:
    return dict(members.read(f"{plant}/members.json").by_name)


def test_new_key(home: Path) -> None:
    done = run("key", "new", f"{home}/key")
    assert done.exit_code == 0
    pair = keyfiles.read(f"{home}/key")
    assert done.output == f"The secret key is in {home}/key. Its public half is {pair.public}\n"
    assert stat.S_IMODE((home / "key").stat().st_mode) == 0o600
    secret = (home / "key").read_text().splitlines()[-1]
    assert len(secret) == 40
    assert secret not in done.output


def test_key_is_never_written_over_another(home: Path, public: str) -> None:
    assert "is there already; it is not replaced" in refused("key", "new", f"{home}/key")
    assert keyfiles.read(f"{home}/key").public == public


def test_public_half_is_shown(home: Path, plant: Path, public: str) -> None:
    assert run("key", "show", f"{home}/key").output == f"{public}\n"
    known = network.read(f"{plant}/network.toml")
    shown = run("key", "show", f"{plant}/nameserver.key").output
    assert shown == f"{known.key}\n{known.next_key}\n"


def test_key_that_others_can_read(home: Path, public: str) -> None:
    (home / "key").chmod(0o644)
    expected = f"pycom: Others can read {home}/key (mode 0644); chmod 600 {home}/key\n"
    assert refused("key", "show", f"{home}/key") == expected


def test_there_is_no_way_to_put_a_secret_on_the_command_line() -> None:
    options = {
        option
        for group in (commands.key, commands.network)
        for command in group.commands.values()
        for parameter in command.params
        for option in parameter.opts
    }
    assert options == {
        *("file", "folder", "name", "--nameserver", "--name"),
        *("--dir", "--key", "--role", "--register"),
    }


def test_new_network(home: Path) -> None:
    done = run("network", "init", f"{home}/plant", "--nameserver", ADDRESS)
    assert done.exit_code == 0
    assert [line.split("\t")[0] for line in done.output.splitlines()] == [
        f"{home}/plant/network.toml",
        f"{home}/plant/nameserver.key",
        f"{home}/plant/members.json",
    ]
    made = network.read(f"{home}/plant/network.toml")
    assert (made.name, made.nameserver, made.pins) == ("plant", (ADDRESS,), {})
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home / "plant").iterdir()}
    assert modes == {
        ".lock": 0o600,
        "members.json": 0o600,
        "nameserver.key": 0o600,
        "network.toml": 0o644,
    }


def test_name_and_replicas_of_a_network(home: Path) -> None:
    addresses = ["--nameserver", ADDRESS, "--nameserver", "tcp://127.0.0.1:2022"]
    assert run("network", "init", f"{home}/p", "--name", "plant", *addresses).exit_code == 0
    made = network.read(f"{home}/p/network.toml")
    assert (made.name, made.nameserver) == ("plant", (ADDRESS, "tcp://127.0.0.1:2022"))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--nameserver", "tcp://*:2012"], "nameserver: Invalid address 'tcp://*:2012'"),
        (["--nameserver", "tcp://0.0.0.0:2012"], "is for listening; name the host"),
        (["--nameserver", ADDRESS, "--name", "a b"], "name: 'a b' is no name"),
        ([], "Missing option '--nameserver'"),
    ],
)
def test_network_that_cannot_be(arguments: list[str], reason: str, home: Path) -> None:
    assert reason in refused("network", "init", f"{home}/plant", *arguments)
    assert os.listdir(home) == []


def test_network_in_an_open_folder(home: Path) -> None:
    home.chmod(0o777)
    assert f"chmod go-w {home}" in refused(
        "network", "init", f"{home}/plant", "--nameserver", ADDRESS
    )
    assert os.listdir(home) == []


def test_add(plant: Path, public: str) -> None:
    grant = ("/com/foo/*", "com.foo.*", "tcp://127.0.0.1:*")
    other = ("/com/bar", "com.bar", "*")
    roles = ["--role", "reader", "--role", "writer", "--role", "reader"]
    rows = ["--register", *grant, "--register", *other, "--register", *grant]
    arguments = ["--dir", str(plant), "--key", public, *roles, *rows]
    done = run("network", "add", "camera-1", *arguments)
    assert (done.output, done.exit_code) == ("Added camera-1\n", 0)
    assert found(plant) == {
        "camera-1": Member(
            (MemberKey(public),), ("reader", "writer"), (Grant(*grant), Grant(*other))
        )
    }


def test_key_that_looks_like_an_option(plant: Path) -> None:
    public = next(key for key in iter(lambda: KeyPair.new().public, "") if key[0] == "-")
    assert run("network", "add", "ann", "--dir", str(plant), "--key", public).exit_code == 0
    assert found(plant)["ann"].keys[0].key == public


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--key", "x"], "key: a public key is 40 characters of Z85, not 1"),
        (["--role", "a b"], "roles: 'a b' is no name"),
        (["--register", "", "com.foo", "*"], "path: '' is no pattern of paths"),
        (["--register", "*", "org.pycom.*", "*"], "interface: 'org.pycom.*' matches nothing"),
        (["--register", "*", "com.foo", "tcp://*"], "address: 'tcp://*' is no pattern"),
        (["--register", "*", "com.foo"], "requires 3 arguments"),
    ],
)
def test_member_that_cannot_be(arguments: list[str], reason: str, plant: Path, public: str) -> None:
    whole = ["network", "add", "ann", "--dir", str(plant), "--key", public, *arguments]
    assert reason in refused(*whole)
    assert found(plant) == {}


def test_name_and_key_are_needed(plant: Path, public: str) -> None:
    where = ["--dir", str(plant)]
    assert "'a b' is no name" in refused("network", "add", "a b", *where, "--key", public)
    assert "Missing option '--key'" in refused("network", "add", "ann", *where)
    assert "Missing option '--dir'" in refused("network", "add", "ann", "--key", public)
    assert found(plant) == {}


def test_name_or_key_that_is_taken(plant: Path, home: Path, public: str) -> None:
    other = new_key(home / "other")
    where = ["--dir", str(plant), "--key"]
    run("network", "add", "ann", *where, public)
    assert "has a member 'ann' already" in refused("network", "add", "ann", *where, other)
    assert "of ann cannot be given again" in refused("network", "add", "bob", *where, public)


@pytest.mark.parametrize("command", ["add", "rotate", "revoke"])
def test_secret_that_is_given_by_mistake_is_not_repeated(
    command: str, plant: Path, home: Path, public: str
) -> None:
    run("network", "add", "bob", "--dir", str(plant), "--key", public)
    secret = (home / "key").read_text().splitlines()[-1]
    name = "ann" if command == "add" else "bob"
    shown = refused("network", command, name, "--dir", str(plant), "--key", secret)
    assert secret not in shown
    if command != "revoke":
        assert "no public key looks like this, but secret keys do" in shown


def test_list(plant: Path, home: Path, public: str) -> None:
    where = ["--dir", str(plant)]
    grants = ["--register", "/a", "b", "*", "--register", "/c", "d", "tcp://127.0.0.1:*"]
    run("network", "add", "bob", *where, "--key", public, "--role", "x", "--role", "y", *grants)
    ann, new = new_key(home / "ann"), new_key(home / "new")
    run("network", "add", "ann", *where, "--key", ann)
    run("network", "rotate", "ann", *where, "--key", new)
    run("network", "revoke", "ann", *where, "--key", ann)
    first, second, third = run("network", "list", *where).output.splitlines()
    member, state, key, *rest = first.split("\t")
    assert (member, state.partition(" ")[0], key, rest) == ("ann", "revoked", ann, ["", ""])
    assert second.split("\t") == ["ann", "valid", new, "", ""]
    allowed = "/a b *, /c d tcp://127.0.0.1:*"
    assert third.split("\t") == ["bob", "valid", public, "x, y", allowed]


def test_another_key_of_a_member(plant: Path, home: Path, public: str) -> None:
    where = ["--dir", str(plant)]
    run("network", "add", "ann", *where, "--key", public)
    new = new_key(home / "new")
    done = run("network", "rotate", "ann", *where, "--key", new)
    assert done.output == ("ann has another key; the older ones are valid until they are revoked\n")
    assert found(plant)["ann"].keys == (MemberKey(public), MemberKey(new))


def test_another_key_of_the_nameserver(plant: Path) -> None:
    before = network.read(f"{plant}/network.toml")
    done = run("network", "rotate", "--dir", str(plant))
    after = network.read(f"{plant}/network.toml")
    assert after.key == before.next_key
    assert done.output == (
        f"The key of the nameserver is now {after.key}, the next one {after.next_key}\n"
    )


@pytest.mark.parametrize("half", [["ann"], ["--key", "any"]])
def test_half_a_rotation(half: list[str], plant: Path) -> None:
    shown = refused("network", "rotate", "--dir", str(plant), *half)
    assert "A member needs NAME and --key; the nameserver needs neither" in shown


def test_revoke(plant: Path, public: str) -> None:
    where = ["--dir", str(plant)]
    run("network", "add", "ann", *where, "--key", public)
    assert run("network", "revoke", "ann", *where).output == "Revoked ann\n"
    assert found(plant)["ann"].keys[0].revoked is not None
    again = run("network", "revoke", "ann", *where, "--key", public)
    assert (again.output, again.exit_code) == (
        "Nothing to do: a key of ann was revoked before\n",
        0,
    )


@pytest.mark.parametrize("command", ["rotate", "revoke"])
def test_unknown_member(command: str, plant: Path, public: str) -> None:
    arguments = ["eve", "--dir", str(plant), "--key", public]
    assert f"{plant} has no member 'eve'" in refused("network", command, *arguments)


@pytest.mark.parametrize("command", ["list", "rotate", "revoke ann", "add ann --key x"])
def test_folder_that_is_no_network(command: str, home: Path, public: str) -> None:
    words = command.replace(" x", f" {public}").split()
    expected = f"{home} is no network: it has no network.toml. pycom network init makes one"
    assert expected in refused("network", *words, "--dir", str(home))


def test_commands_load_neither_libzmq_nor_libsodium_before_they_need_it() -> None:
    code = (
        "import sys, pycom_plugins.security.plugin, pycom_plugins.security.commands\n"
        "print([name for name in ('zmq', 'nacl', 'msgspec', 'tomllib') if name in sys.modules])"
    )
    status = helpers.run(os.sys.executable, "-c", code)
    assert status.stdout == "[]\n"
