"""Fixtures of the tests of keys and their files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

GiveAway = Callable[[Path], None]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder that nobody else can write to, whatever the umask is."""
    folder = tmp_path / "home"
    folder.mkdir()
    folder.chmod(0o755)
    return folder


@pytest.fixture
def give_away() -> GiveAway:
    """Makes a file or folder somebody else's."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a file somebody else's")
    return lambda path: os.chown(path, 54_321, 54_321, follow_symlinks=False)
