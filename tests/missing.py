"""Means that tests need and a platform may lack, with a report of those that it lacks."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NoReturn

import helpers
import pytest

_MISSING = re.compile(r"(?:Failed|Skipped): (.+?) is missing: ")


def give_up(what: str, why: str) -> NoReturn:
    """Skip the test for want of something, or let it fail in CI."""
    end = pytest.fail if "CI" in os.environ else pytest.skip
    end(f"{what} is missing: {why}")


def program(name: str, distribution: str) -> Path:
    """The program `name` of `distribution`. Without it the test is skipped, or fails in CI."""
    found = Path(helpers.script(name))
    if not found.exists():
        give_up(distribution, f"no program {name}")
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what is missing, each once. Tests may have run in other processes: reports come here."""
    reports = [*terminalreporter.getreports("skipped"), *terminalreporter.getreports("failed")]
    found = {_MISSING.search(report.longreprtext) for report in reports}
    for what in sorted({match[1] for match in found if match}):
        terminalreporter.write_line(
            f"Missing: {what}. The tests that need it did not run.", yellow=True
        )
