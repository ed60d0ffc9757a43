"""Tests that need what is not there on every platform."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import links, missing, pytest, shutil

@pytest.mark.parametrize("number", range(2))
def test_of_a_server(number):
    missing.program("no-such-server", "no-such-wheel")

def test_of_a_link(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, **_: None)
    with links.link():
        pass

def test_of_none():
    pass
"""
SERVER = "Missing: no-such-wheel. "
LINK = "Missing: a link between network namespaces. "


@pytest.fixture(autouse=True)
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    pytester.makepyfile(TESTS)


@pytest.mark.parametrize("processes", ["0", "2"])
def test_tests_are_skipped_and_what_is_missing_is_named_once(
    processes: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    result = pytester.runpytest_subprocess("-p", "missing", "-n", processes, "-rs")
    result.assert_outcomes(passed=1, skipped=3)
    printed = str(result.stdout)
    assert (printed.count(SERVER), printed.count(LINK)) == (1, 1)
    assert "no program unshare" in printed


def test_in_ci_nothing_is_skipped(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    result = pytester.runpytest_subprocess("-p", "missing")
    result.assert_outcomes(passed=1, failed=3)
    printed = str(result.stdout)
    assert (printed.count(SERVER), printed.count(LINK)) == (1, 1)
