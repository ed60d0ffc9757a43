"""Fixtures of all tests."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator

import helpers
import hypothesis
import pytest
import wheels
from faulty import faulty
from in_process import default_runtime, distributions, make_runtime

from pycom_core import Runtime, Settings

__all__ = ["default_runtime", "distributions", "faulty", "make_runtime"]

pytest_plugins = ["missing"]

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--transport", help="use this transport, in tests of whole processes")


def pytest_configure(config: pytest.Config) -> None:
    os.environ.pop(helpers.TRANSPORT, None)
    if transport := config.getoption("--transport"):
        os.environ[helpers.TRANSPORT] = transport


@pytest.fixture
def processes() -> Iterator[helpers.Processes]:
    """Starts processes, which end with the test."""
    with helpers.Processes() as processes:
        yield processes


@pytest.fixture
def nameserver(processes: helpers.Processes) -> helpers.Service:
    """A nameserver in a process of its own."""
    return processes.nameserver()


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> wheels.Environment:
    """An environment with the wheel of this project, and with tools for tests."""
    return wheels.base_environment(tmp_path_factory.mktemp("environments"))


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    """A runtime with the default settings, whatever the environment says."""
    runtime = Runtime(Settings())
    yield runtime
    runtime.close()


@pytest.fixture
def collect() -> Iterator[Callable[[], object]]:
    """Calls the garbage collector, which does not run by itself in this test."""
    gc.collect()
    gc.disable()
    yield gc.collect
    gc.enable()
