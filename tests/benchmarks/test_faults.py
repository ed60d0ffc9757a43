"""The faults are made to happen, among whole processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FAULTS = Path(__file__).parents[2] / "benchmarks" / "faults.py"


def test_row() -> None:
    command = [sys.executable, str(FAULTS), "--short", "--transport", "zmtp", "too_big"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    header, _, row = done.stdout.splitlines()
    assert "callers saw, zmtp" in header
    assert "BadRequest 4 after" in row


def test_row_that_there_is_not() -> None:
    done = subprocess.run([sys.executable, str(FAULTS), "flod"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "there is no row flod" in done.stderr
