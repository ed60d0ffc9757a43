"""The folder of a network, and changes to it, also by several at once."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from datetime import datetime, timezone
from pathlib import Path

import attrs
import helpers
import pytest

from pycom_core import ConfigurationError
from pycom_core.testing.contracts.common import in_threads
from pycom_plugins.security import files, keyfiles, members, network
from pycom_plugins.security.keys import KeyPair
from pycom_plugins.security.members import Member, MemberKey, Members
from pycom_plugins.security.network import Network
from pycom_plugins.security.network_folder import NetworkFolder

ADDRESS = "tcp://127.0.0.1:2012"


@pytest.fixture
def folder(home: Path) -> NetworkFolder:
    folder = NetworkFolder(f"{home}/plant")
    folder.init("plant", [ADDRESS])
    return folder


def public() -> str:
    return KeyPair.new().public


def member() -> Member:
    return Member((MemberKey(public()),))


def keys(folder: NetworkFolder) -> list[str]:
    """The public halves of the nameserver's keys."""
    return [pair.public for pair in keyfiles.read_all(folder.file("nameserver.key"))]


def test_new_network(folder: NetworkFolder) -> None:
    assert folder.network() == Network("plant", (ADDRESS,), *keys(folder))
    assert folder.members() == Members()
    assert sorted(os.listdir(folder.path)) == [
        ".lock",
        "members.json",
        "nameserver.key",
        "network.toml",
    ]


@pytest.mark.parametrize("name", ["network.toml", "nameserver.key", "members.json"])
def test_network_is_not_made_over_another(name: str, home: Path) -> None:
    (home / name).write_text("mine")
    with pytest.raises(ConfigurationError, match=f"{home} has a {name} already"):
        NetworkFolder(str(home)).init("plant", [ADDRESS])
    assert (home / name).read_text() == "mine"


def test_network_without_a_name_makes_no_folder(home: Path) -> None:
    with pytest.raises(ValueError, match="'a b' is no name"):
        NetworkFolder(f"{home}/a b").init("a b", [ADDRESS])
    assert os.listdir(home) == []


def test_relative_address_of_a_socket(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    folder = NetworkFolder("plant")
    folder.init("plant", ["ipc://socket"])
    assert folder.network().nameserver == (f"ipc://{home}/socket",)


def test_folder_that_is_no_network(home: Path) -> None:
    folder = NetworkFolder(str(home))
    for change in (
        folder.members,
        folder.rotate_nameserver,
        lambda: folder.add("ann", member()),
        lambda: folder.revoke("ann"),
    ):
        with pytest.raises(ConfigurationError, match=f"{home} is no network: it has no network"):
            change()
    assert os.listdir(home) == []


def test_added_member(folder: NetworkFolder) -> None:
    ann = member()
    folder.add("ann", ann)
    assert folder.members().by_name == {"ann": ann}


def test_name_that_is_taken(folder: NetworkFolder) -> None:
    folder.add("ann", member())
    folder.revoke("ann")
    with pytest.raises(ConfigurationError, match="has a member 'ann' already; pycom network rot"):
        folder.add("ann", member())


def test_name_that_is_none(folder: NetworkFolder) -> None:
    with pytest.raises(ValueError, match="members: 'a b' is no name"):
        folder.add("a b", member())
    assert folder.members() == Members()


def test_key_that_is_taken(folder: NetworkFolder) -> None:
    ann = member()
    folder.add("ann", ann)
    folder.add("bob", member())
    taken = ann.keys[0].key
    for change in (
        lambda: folder.add("eve", ann),
        lambda: folder.rotate_member("bob", taken),
        lambda: folder.rotate_member("ann", taken),
    ):
        with pytest.raises(ConfigurationError, match="of ann cannot be given again; make a new"):
            change()
    folder.revoke("ann")
    with pytest.raises(ConfigurationError, match="of ann was revoked and cannot be given again"):
        folder.rotate_member("ann", taken)


def test_key_of_the_nameserver(folder: NetworkFolder) -> None:
    for key in keys(folder):
        with pytest.raises(ConfigurationError, match="is the nameserver's own"):
            folder.add("ann", Member((MemberKey(key),)))


def test_another_key_of_a_member(folder: NetworkFolder) -> None:
    old, new = public(), public()
    folder.add("ann", Member((MemberKey(old),), ("admin",)))
    folder.rotate_member("ann", new)
    expected = Member((MemberKey(old), MemberKey(new)), ("admin",))
    assert folder.members().by_name == {"ann": expected}


def test_revoked_key(folder: NetworkFolder) -> None:
    old, new = public(), public()
    folder.add("ann", Member((MemberKey(old), MemberKey(new))))
    assert folder.revoke("ann", [old])
    first, second = folder.members().by_name["ann"].keys
    assert first.revoked is not None
    assert second == MemberKey(new)
    assert not folder.revoke("ann", [old])


def test_revoked_member(folder: NetworkFolder) -> None:
    then = datetime(2026, 11, 1, tzinfo=timezone.utc)
    old, new = MemberKey(public(), revoked=then), MemberKey(public())
    folder.add("ann", Member((old, new)))
    assert folder.revoke("ann")
    first, second = folder.members().by_name["ann"].keys
    assert first == old  # it was revoked when it was
    assert second.revoked is not None
    assert not folder.revoke("ann")


def test_key_that_a_member_does_not_have(folder: NetworkFolder) -> None:
    folder.add("ann", member())
    stranger = public()
    with pytest.raises(ConfigurationError, match="ann has no such key") as caught:
        folder.revoke("ann", [stranger])
    assert stranger not in str(caught.value)


@pytest.mark.parametrize("change", ["revoke", "rotate"])
def test_unknown_member(change: str, folder: NetworkFolder) -> None:
    with pytest.raises(ConfigurationError, match="has no member 'eve'; pycom network list"):
        folder.revoke("eve") if change == "revoke" else folder.rotate_member("eve", public())


# The nameserver's own keys.


def test_next_key_becomes_the_key(folder: NetworkFolder) -> None:
    pins = {"org.pycom.authenticator": public()}
    before = attrs.evolve(folder.network(), pins=pins)
    network.replace(folder.file("network.toml"), before)
    after = folder.rotate_nameserver()
    assert after == folder.network()
    assert after == attrs.evolve(before, key=before.next_key, next_key=after.next_key)
    assert after.next_key not in (before.key, before.next_key)
    assert keys(folder) == [after.key, after.next_key]


def test_whoever_knows_the_network_before_a_rotation_knows_its_key(folder: NetworkFolder) -> None:
    before = folder.network()
    folder.rotate_nameserver()
    assert keys(folder)[0] in (before.key, before.next_key)
    folder.rotate_nameserver()
    assert keys(folder)[0] not in (before.key, before.next_key)


def test_interrupted_rotation_is_completed(
    folder: NetworkFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    before = folder.network()
    with monkeypatch.context() as patch:
        patch.setattr(network, "replace", fail)
        with pytest.raises(KeyboardInterrupt):
            folder.rotate_nameserver()
    assert folder.network() == before
    half = keys(folder)
    assert half[0] == before.next_key
    after = folder.rotate_nameserver()
    assert keys(folder) == half == [after.key, after.next_key]


def test_key_of_another_network(folder: NetworkFolder) -> None:
    path = folder.file("nameserver.key")
    keyfiles.replace(path, [KeyPair.new(), KeyPair.new()], "")
    with pytest.raises(ConfigurationError, match=f"{path} is not the key in "):
        folder.rotate_nameserver()
    keyfiles.replace(path, [KeyPair.new()], "")
    with pytest.raises(ConfigurationError, match="holds 1 keys instead of two"):
        folder.rotate_nameserver()


# Several at once.


def test_no_change_is_lost(folder: NetworkFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the lock both would read before either writes."""
    both = threading.Barrier(2)

    def slowly(path: str) -> Members:
        found = read(path)
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(timeout=0.2)
        return found

    read = members.read
    with monkeypatch.context() as patch:
        patch.setattr(members, "read", slowly)
        in_threads(2, lambda number: NetworkFolder(folder.path).add(f"member-{number}", member()))
    assert sorted(folder.members().by_name) == ["member-0", "member-1"]


def test_no_change_of_another_process_is_lost(folder: NetworkFolder) -> None:
    command = [helpers.script("pycom"), "network", "add", "--dir", folder.path]
    with files.locked(folder.file(".lock")):  # so that all of them have to wait
        started = [
            subprocess.Popen([*command, f"member-{n}", "--key", public()], stdout=subprocess.PIPE)
            for n in range(3)
        ]
    for process in started:
        process.communicate(timeout=helpers.PATIENCE)
        assert process.returncode == 0
    assert sorted(folder.members().by_name) == ["member-0", "member-1", "member-2"]
