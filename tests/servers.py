"""Servers that come as wheels, with a report of those that a platform lacks."""

from __future__ import annotations

import os
import re
from pathlib import Path

import helpers
import pytest

_MISSING = re.compile(r"(?:Failed|Skipped): (\S+) is not installed: no program ")


def program(name: str, distribution: str) -> Path:
    """The program `name` of `distribution`. Without it the test is skipped, or fails in CI."""
    found = Path(helpers.script(name))
    if not found.exists():
        give_up = pytest.fail if "CI" in os.environ else pytest.skip
        give_up(f"{distribution} is not installed: no program {name}")
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what is missing, each once. Tests may have run in other processes: reports come here."""
    reports = [*terminalreporter.getreports("skipped"), *terminalreporter.getreports("failed")]
    found = {_MISSING.search(report.longreprtext) for report in reports}
    for distribution in sorted({match[1] for match in found if match}):
        terminalreporter.write_line(
            f"Not installed: {distribution}. The tests that need it did not run.", yellow=True
        )
