"""Files that are read again when they have changed."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from pycom_core import ConfigurationError
from pycom_core.testing import Clock
from pycom_plugins.security.watched import Watched


class Reader:
    """Reads a file, counts how often, and takes some contents for broken."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, path: str) -> str:
        self.times += 1
        try:
            content = Path(path).read_text()
        except OSError as error:
            raise ConfigurationError(f"Cannot read it: {error.strerror}") from error
        if content.startswith("broken"):
            raise ConfigurationError(f"It is {content}")
        return content


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    path.write_text("one")
    return path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def watched(path: Path, reader: Reader, clock: Clock) -> Watched[str]:
    return Watched(str(path), reader, clock.now)


def replace(path: Path, content: str) -> None:
    """As programs do it that write a file as a whole."""
    fresh = path.with_name("fresh")
    fresh.write_text(content)
    fresh.replace(path)


def test_change_is_noticed_a_second_later(watched: Watched[str], path: Path, clock: Clock) -> None:
    assert watched.get() == "one"
    replace(path, "two")
    clock.advance(0.9)
    assert watched.get() == "one"
    clock.advance(0.1)
    assert watched.get() == "two"


def test_change_of_the_same_size_at_the_same_time(
    watched: Watched[str], path: Path, clock: Clock
) -> None:
    before = path.stat()
    replace(path, "two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    clock.advance(1)
    assert watched.get() == "two"


def test_file_that_did_not_change_is_not_read(
    watched: Watched[str], reader: Reader, clock: Clock
) -> None:
    for _ in range(5):
        clock.advance(1)
        assert watched.get() == "one"
    assert reader.times == 1


def test_it_is_not_looked_at_more_often(
    watched: Watched[str], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda path: (looks.append(path), stat(path))[1])
    for _ in range(10):
        clock.advance(0.25)
        watched.get()
    assert len(looks) == 2


def test_broken_version_leaves_the_old_one_in_force(
    watched: Watched[str], path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    replace(path, "broken")
    for _ in range(3):
        clock.advance(1)
        assert watched.get() == "one"
    assert caplog.messages == ["What was read before stays in force: It is broken"]
    assert caplog.records[0].levelno == logging.ERROR
    replace(path, "broken otherwise")
    clock.advance(1)
    assert watched.get() == "one"
    assert len(caplog.messages) == 2
    replace(path, "two")
    clock.advance(1)
    assert watched.get() == "two"
    replace(path, "broken otherwise")
    clock.advance(1)
    assert watched.get() == "two"
    assert len(caplog.messages) == 3


def test_file_that_goes_and_comes_back(
    watched: Watched[str], path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    message = "What was read before stays in force: Cannot read it: No such file or directory"
    for times in (1, 2):
        aside = path.parent.rename(path.parent.with_name("aside"))
        for _ in range(2):
            clock.advance(1)
            assert watched.get() == "one"
        assert caplog.messages == [message] * times
        aside.rename(path.parent)
        clock.advance(1)
        assert watched.get() == "one"


def test_change_of_the_mode_is_one(
    watched: Watched[str], path: Path, reader: Reader, clock: Clock
) -> None:
    path.chmod(0o640)
    clock.advance(1)
    watched.get()
    assert reader.times == 2


def test_what_is_broken_from_the_start(path: Path, reader: Reader, clock: Clock) -> None:
    path.write_text("broken")
    with pytest.raises(ConfigurationError, match="It is broken"):
        Watched(str(path), reader, clock.now)
