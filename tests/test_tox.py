"""The environments that `tox` runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
OWN = "py{}{}".format(*sys.version_info)


def tox(directory: Path, command: str, *options: str) -> str:
    """Return the output of a command of tox."""
    done = subprocess.run(
        [sys.executable, "-m", "tox", command, "-c", ROOT, "--workdir", directory, *options],
        env={name: value for name, value in os.environ.items() if not name.startswith("TOX")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_suite_runs_once_on_each_python(tmp_path: Path) -> None:
    listed = tox(tmp_path, "list", "-d", "--no-desc").split()
    others = {"py310", "py311", "py312", "py313"} - {OWN}
    assert sorted(name for name in listed if name.startswith("py")) == ["py", *sorted(others)]


def test_its_own_python_can_still_be_named(tmp_path: Path) -> None:
    assert "-m 'not slow'" in tox(tmp_path, "config", "-e", OWN, "-k", "commands")
