"""Files that nobody else can have changed, and how they are written."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pycom_core import ConfigurationError
from pycom_core.testing.contracts.common import in_threads
from pycom_plugins.security import files

GiveAway = Callable[[Path], None]


@pytest.fixture
def path(home: Path) -> Path:
    path = home / "file"
    path.write_bytes(b"content")
    path.chmod(0o600)
    return path


def refused(function: Callable[[], object]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        function()
    return str(caught.value)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_read(path: Path) -> None:
    assert files.read(str(path), files.PRIVATE) == b"content"


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
def test_access_of_the_owner_is_not_looked_at(mode: int, path: Path) -> None:
    path.chmod(mode)
    assert files.read(str(path), files.PRIVATE) == b"content"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o610])
def test_private_file_that_others_can_read(mode: int, path: Path) -> None:
    path.chmod(mode)
    expected = f"Others can read {path} (mode {mode:04o}); chmod 600 {path}"
    assert refused(lambda: files.read(str(path), files.PRIVATE)) == expected


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_file_that_others_can_write_to(mode: int, path: Path) -> None:
    path.chmod(mode)
    for wanted in (files.PRIVATE, files.PUBLIC):
        expected = f"Others can write to {path} (mode {mode:04o}); chmod {wanted:o} {path}"
        assert refused(lambda wanted=wanted: files.read(str(path), wanted)) == expected


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_public_file_that_others_can_read(mode: int, path: Path) -> None:
    path.chmod(mode)
    assert files.read(str(path), files.PUBLIC) == b"content"


def test_file_of_somebody_else(path: Path, give_away: GiveAway) -> None:
    give_away(path)
    for mode in (files.PRIVATE, files.PUBLIC):
        assert f"{path} belongs to uid 54321; it must be your own, or root's" in refused(
            lambda mode=mode: files.read(str(path), mode)
        )


def test_file_of_root_and_of_ones_own(
    path: Path, give_away: GiveAway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    assert files.read(str(path), files.PRIVATE) == b"content"
    give_away(path)
    assert files.read(str(path), files.PRIVATE) == b"content"


def test_file_that_a_link_leads_to_is_checked(path: Path, give_away: GiveAway) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    assert files.read(str(link), files.PRIVATE) == b"content"
    give_away(path)
    assert "belongs to uid 54321" in refused(lambda: files.read(str(link), files.PRIVATE))


def test_file_in_an_open_folder(path: Path) -> None:
    path.parent.chmod(0o777)
    for function in (
        lambda: files.read(str(path), files.PUBLIC),
        lambda: files.create(f"{path}2", lambda: b"", files.PUBLIC),
        lambda: files.replace(str(path), lambda: b"", files.PUBLIC),
        lambda: files.make_folder(f"{path}2"),
        lambda: files.locked(f"{path}2").__enter__(),
    ):
        assert f"chmod go-w {path.parent}" in refused(function)
    assert names(path.parent) == ["file"]
    assert path.read_bytes() == b"content"


def test_what_is_no_file(home: Path) -> None:
    os.mkfifo(home / "pipe", 0o600)
    for name in ("", "pipe"):
        expected = f"{home}/{name} is no file"
        assert refused(lambda name=name: files.read(f"{home}/{name}", files.PRIVATE)) == expected


def test_file_that_is_not_there(home: Path) -> None:
    for path in (f"{home}/nothing", f"{home}/nothing/file"):
        expected = f"Cannot read {path}: No such file or directory"
        assert refused(lambda path=path: files.read(path)) == expected


def test_name_that_no_file_can_have() -> None:
    assert refused(lambda: files.read("a\0b")) == r"Cannot read 'a\x00b': no file has such a name"


@pytest.mark.parametrize("mode", [files.PRIVATE, files.PUBLIC])
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_new_file(mode: int, umask: int, home: Path) -> None:
    before = os.umask(umask)
    try:
        files.create(f"{home}/file", lambda: b"content", mode)
    finally:
        os.umask(before)
    assert (home / "file").read_bytes() == b"content"
    assert stat.S_IMODE((home / "file").stat().st_mode) == mode
    assert names(home) == ["file"]


def test_new_file_does_not_replace_one(path: Path) -> None:
    path.with_name("link").symlink_to("nothing")
    path.with_name("circle").symlink_to("file")
    for name in ("file", "circle"):
        taken = path.with_name(name)
        message = refused(lambda taken=taken: files.create(str(taken), lambda: b"new", 0o600))
        assert message == f"{taken} is there already; it is not replaced"
    assert path.read_bytes() == b"content"
    assert names(path.parent) == ["circle", "file", "link"]


def test_one_of_many_who_write_a_new_file(home: Path) -> None:
    refusals: list[str] = []
    lock = threading.Lock()

    def create(number: int) -> None:
        try:
            files.create(f"{home}/file", lambda: str(number).encode() * 10_000, files.PRIVATE)
        except ConfigurationError as error:
            with lock:
                refusals.append(str(error))

    in_threads(8, create)
    assert len(refusals) == 7
    content = (home / "file").read_bytes()
    assert content == content[:1] * 10_000


def test_replaced_file(path: Path) -> None:
    files.replace(str(path), lambda: b"other", files.PUBLIC)
    assert path.read_bytes() == b"other"
    assert stat.S_IMODE(path.stat().st_mode) == files.PUBLIC
    assert names(path.parent) == ["file"]


@pytest.mark.parametrize("call", ["fsync", "link", "rename", "fchmod"])
def test_failure_leaves_all_as_it_was(
    call: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    write = files.create if call == "link" else files.replace
    target = f"{path}2" if call == "link" else str(path)
    message = refused(lambda: write(target, lambda: b"new", files.PRIVATE))
    assert message == f"Cannot write {target}: No space left on device"
    assert names(path.parent) == ["file"]
    assert path.read_bytes() == b"content"


def test_link_stays_a_link(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to("file")
    files.replace(str(link), lambda: b"other", files.PRIVATE)
    assert link.is_symlink()
    assert path.read_bytes() == b"other"


def test_folder(home: Path) -> None:
    before = os.umask(0)
    try:
        for _ in range(2):
            files.make_folder(f"{home}/new/")
    finally:
        os.umask(before)
    assert stat.S_IMODE((home / "new").stat().st_mode) == 0o755
    message = refused(lambda: files.make_folder(f"{home}/no/where"))
    assert message == f"Cannot make {home}/no/where: No such file or directory"


def test_one_holds_the_lock_at_a_time(home: Path) -> None:
    inside = 0

    def hold(_: int) -> None:
        nonlocal inside
        with files.locked(f"{home}/.lock"):
            inside += 1
            assert inside == 1
            os.stat(home)
            inside -= 1

    in_threads(8, hold)
    assert stat.S_IMODE((home / ".lock").stat().st_mode) == 0o600


def test_errors_within_the_lock_are_ones_own(home: Path) -> None:
    with pytest.raises(ValueError, match="mine"), files.locked(f"{home}/.lock"):
        raise ValueError("mine")
