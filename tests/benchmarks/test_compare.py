"""The comparison with others runs, for the contenders that need nothing installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the results of a short run."""
    directory = tmp_path_factory.mktemp("comparison")
    # Whether Pyro5 is installed here or not: it cannot be imported.
    hiding = tmp_path_factory.mktemp("hiding")
    (hiding / "Pyro5.py").write_text("raise ImportError('hidden')")
    options = ["--rounds", "2", "--seconds", "0.02", "--json", "samples.json", "--rst", "table.inc"]
    contenders = ["--only", "plain TCP", "PyCOM", "PyCOM, async def", "Pyro5"]
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "compare.py"), *options, *contenders],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(hiding)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (directory / "printed").write_text(done.stdout)
    return directory


def test_each_contender_is_measured_in_each_scenario_that_it_has(directory: Path) -> None:
    samples = json.loads((directory / "samples.json").read_text())["samples"]
    sync = {"plain TCP", "pyzmq", "PyCOM"}
    assert {scenario: set(times) for scenario, times in samples.items()} == {
        "one": sync,
        "many": {"pyzmq", "PyCOM", "PyCOM, async def"},
        "threads": sync,
        "echo": sync,
    }
    for scenario in samples.values():
        for times in scenario.values():
            assert len(times) == 2
            assert min(times) > 0


def test_what_is_not_installed_is_named(directory: Path) -> None:
    assert json.loads((directory / "samples.json").read_text())["versions"]["Pyro5"] is None
    [row] = re.findall("^.*Pyro5.*$", (directory / "printed").read_text(), re.M)
    assert [cell.strip() for cell in row.split("|")][1:3] == ["Pyro5", "not installed"]


def test_the_table_for_the_documentation(directory: Path) -> None:
    table = (directory / "table.inc").read_text()
    assert table.startswith(".. list-table::")
    assert table.count("   * -") == 6  # the header, and one row each
