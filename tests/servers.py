"""Servers that wheels bring: a platform may have none, and then it is said which."""

from __future__ import annotations

import os
from pathlib import Path

import helpers
import pytest

#: Distributions that tests needed and did not find.
MISSING: set[str] = set()


def program(name: str, distribution: str) -> Path:
    """The program `name` of `distribution`. Without it the test is skipped, or fails in CI."""
    found = Path(helpers.script(name))
    if not found.exists():
        MISSING.add(distribution)
        give_up = pytest.fail if "CI" in os.environ else pytest.skip
        give_up(f"{distribution} is not installed")
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what is missing."""
    for distribution in sorted(MISSING):
        terminalreporter.write_line(
            f"Not installed: {distribution}. The tests that need it did not run.", yellow=True
        )
