"""The way to a file: which folders and links on it are safe."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pycom_core import ConfigurationError
from pycom_plugins.security.folders import way_to

GiveAway = Callable[[Path], None]


def end(path: Path | str) -> tuple[int, str]:
    """The inode of the folder where the way ends, and the name there."""
    with way_to(str(path)) as (folder, name):
        return os.fstat(folder).st_ino, name


def refused(path: Path | str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        end(path)
    return str(caught.value)


def test_folder_and_name(home: Path) -> None:
    assert end(home / "key") == (home.stat().st_ino, "key")


def test_file_in_the_working_directory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    assert end("key") == end("./key") == end("../home//key") == end(home / "key")


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_folder_that_others_can_write_to(mode: int, home: Path) -> None:
    home.chmod(mode)
    assert refused(home / "key") == (
        f"{home}/key is not safe: others can write to the folder {home} (mode {mode:04o}); "
        f"chmod go-w {home}"
    )


def test_folder_further_up_that_others_can_write_to(home: Path) -> None:
    inner = home / "inner"
    inner.mkdir(0o700)
    home.chmod(0o777)
    assert f"others can write to the folder {home} " in refused(inner / "key")


def test_folder_below_one_like_tmp(home: Path) -> None:
    inner = home / "inner"
    inner.mkdir(0o700)
    home.chmod(0o1777)
    assert end(inner / "key") == (inner.stat().st_ino, "key")


def test_file_in_a_folder_like_tmp(home: Path) -> None:
    home.chmod(0o1777)
    assert refused(home / "key") == (
        f"{home}/key is not safe: others can write to the folder {home} (mode 1777); keep the file "
        "in a folder of your own"
    )


def test_folder_of_somebody_else(home: Path, give_away: GiveAway) -> None:
    inner = home / "inner"
    inner.mkdir(0o700)
    give_away(home)
    for path in (home / "key", inner / "key"):
        assert f"the folder {home} belongs to uid 54321, who could exchange it" in refused(path)


def test_folder_of_somebody_else_below_one_like_tmp(home: Path, give_away: GiveAway) -> None:
    inner = home / "inner"
    inner.mkdir(0o700)
    give_away(inner)
    home.chmod(0o1777)
    assert f"the folder {inner} belongs to uid 54321" in refused(inner / "key")


def test_folders_of_root_and_of_ones_own(
    home: Path, give_away: GiveAway, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_away(home)
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)  # all folders above are root's
    assert end(home / "key") == (home.stat().st_ino, "key")


def test_links_are_followed_to_the_end(home: Path, tmp_path: Path) -> None:
    inner = home / "a" / "b"
    inner.mkdir(0o755, parents=True)
    (home / "relative").symlink_to("a/b/../b/key")
    (home / "absolute").symlink_to(inner)
    (home / "twice").symlink_to(home / "absolute" / "chain")
    (inner / "chain").symlink_to("key")
    wanted = (inner.stat().st_ino, "key")
    for path in ("relative", "absolute/key", "twice"):
        assert end(home / path) == wanted


def test_way_over_a_link_is_checked_too(home: Path, tmp_path: Path) -> None:
    """A stranger who can write there could lead the way to another file of ours."""
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    (open_to_all / "back").symlink_to(home)
    (home / "link").symlink_to(open_to_all / "back" / "key")
    for path in (open_to_all / "back" / "key", home / "link"):
        assert f"others can write to the folder {open_to_all}" in refused(path)
    assert end(home / "key")


def test_link_of_somebody_else(home: Path, give_away: GiveAway, tmp_path: Path) -> None:
    like_tmp = tmp_path / "like-tmp"
    like_tmp.mkdir()
    like_tmp.chmod(0o1777)
    link = like_tmp / "link"
    link.symlink_to(home)
    assert end(link / "key") == end(home / "key")
    give_away(link)
    assert refused(link / "key") == (
        f"{link}/key leads over the symbolic link {link}, which belongs to uid 54321; name the "
        "file itself"
    )


def test_links_in_a_circle(home: Path) -> None:
    (home / "one").symlink_to("two")
    (home / "two").symlink_to("one")
    assert refused(home / "one") == f"Too many symbolic links on the way to {home}/one"


@pytest.mark.parametrize("name", ["file/key", "nowhere/key"])
def test_folder_that_is_none(name: str, home: Path) -> None:
    (home / "file").touch()
    with pytest.raises((NotADirectoryError, FileNotFoundError)):
        end(home / name)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="this system has no /proc")
def test_no_descriptor_is_left_open(home: Path) -> None:
    (home / "link").symlink_to("/")
    before = os.listdir("/proc/self/fd")
    end(home / "link" / "key")
    with pytest.raises(FileNotFoundError):
        end(home / "nowhere" / "key")
    home.chmod(0o777)
    refused(home / "key")
    assert len(os.listdir("/proc/self/fd")) == len(before)
