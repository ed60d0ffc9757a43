"""Users in a file."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

import pytest

from pycom_core import ConfigurationError
from pycom_core.testing.contracts.common import in_threads
from pycom_plugins.authentication.users import User, Users

ANN = User("hash", ("user", "admin"))


@pytest.fixture
def users(tmp_path: Path) -> Users:
    users = Users(tmp_path / "users.json")
    with users.changed() as found:
        found["ann"] = ANN
    return users


def test_what_is_written_is_read(users: Users) -> None:
    assert users.all() == {"ann": ANN}
    assert Users(users.path).all() == {"ann": ANN}


def test_a_change_is_noticed(users: Users) -> None:
    assert "bob" not in users.all()
    with Users(users.path).changed() as found:
        found["bob"] = User("other")
    assert users.all() == {"ann": ANN, "bob": User("other")}


def test_it_is_not_read_again_without_a_change(users: Users) -> None:
    assert users.all() is users.all()


def test_only_its_owner_may_read_it(users: Users) -> None:
    assert users.path.stat().st_mode & 0o777 == 0o600
    users.path.chmod(0o644)
    with users.changed():
        pass
    assert users.path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_others_may_read_is_complained_about(
    users: Users, caplog: pytest.LogCaptureFixture
) -> None:
    users.path.chmod(0o640)
    with caplog.at_level(logging.WARNING):
        users.all()
        users.all()
    assert caplog.text.count("Others have access") == 1


def test_a_failed_change_leaves_the_file(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ConfigurationError, match=r"Cannot write .* No space"), users.changed() as f:
        f.clear()
    assert users.all() == {"ann": ANN}
    assert [path.name for path in users.path.parent.iterdir()] == ["users.json"]


def test_an_error_while_changing_changes_nothing(users: Users) -> None:
    def change() -> None:
        with users.changed() as found:
            found.clear()
            raise KeyError

    with pytest.raises(KeyError):
        change()
    assert users.all() == {"ann": ANN}


def test_many_who_change_it_at_once(users: Users) -> None:
    def add(number: int) -> None:
        with Users(users.path).changed() as found:
            found[f"user {number}"] = User("hash")

    in_threads(16, add)
    assert len(users.all()) == 17


def test_a_link_stays_a_link(users: Users, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(users.path)
    with Users(link).changed() as found:
        found["bob"] = User("other")
    assert link.is_symlink()
    assert "bob" in users.all()


def test_the_home_directory(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(users.path.parent))
    assert Users("~/users.json").all() == {"ann": ANN}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"users": []}',
        '{"users": {"ann": {}}}',
        '{"users": {"ann": {"password": 1}}}',
        '{"users": {"ann": {"password": "", "roles": "admin"}}}',
    ],
)
def test_what_is_no_file_of_users(users: Users, content: str) -> None:
    users.all()
    users.path.write_text(content)
    for _ in range(2):  # nor are its former contents valid any more
        with pytest.raises(
            ConfigurationError, match=re.escape(f"{users.path} is no file of users")
        ):
            users.all()
    with pytest.raises(ConfigurationError, match="is no file of users"), users.changed():
        pass
    assert users.path.read_text() == content


def test_a_file_that_is_gone(users: Users) -> None:
    users.all()
    users.path.unlink()
    with pytest.raises(ConfigurationError, match=r"Cannot read the file of users .*: No such file"):
        users.all()


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    users = Users(tmp_path / "nowhere" / "users.json")
    with pytest.raises(ConfigurationError, match="Cannot write the file"), users.changed():
        pass
