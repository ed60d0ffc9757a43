"""Tests that need a server that is not available on every platform."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pytest, servers

@pytest.mark.parametrize("number", range(2))
def test_of_a_server(number):
    servers.program("no-such-server", "no-such-wheel")

def test_of_none():
    pass
"""


@pytest.fixture(autouse=True)
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    pytester.makepyfile(TESTS)


def test_without_the_server_its_tests_are_skipped_and_it_is_named_once(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    result = pytester.runpytest_subprocess("-p", "servers")
    result.assert_outcomes(passed=1, skipped=2)
    assert str(result.stdout).count("Not installed: no-such-wheel.") == 1


def test_it_is_named_where_tests_run_in_several_processes(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    result = pytester.runpytest_subprocess("-p", "servers", "-n", "2")
    assert str(result.stdout).count("Not installed: no-such-wheel.") == 1


def test_in_ci_nothing_is_skipped(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    result = pytester.runpytest_subprocess("-p", "servers")
    result.assert_outcomes(passed=1, failed=2)
    assert str(result.stdout).count("Not installed: no-such-wheel.") == 1
