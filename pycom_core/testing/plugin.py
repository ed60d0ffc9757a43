"""The pytest plugin. It is loaded in every project, so nothing is imported before it is used."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pycom_core.testing import Clock, LocalNetwork, RealNetwork


@pytest.fixture
def pycom_clock() -> Clock:
    """The clock of the networks of this test: it moves when the test moves it."""
    from pycom_core.testing import Clock

    return Clock()


@pytest.fixture
def pycom_network(pycom_clock: Clock) -> Iterator[LocalNetwork]:
    """A nameserver, and a network in this process, without sockets."""
    from pycom_core.testing import LocalNetwork

    with LocalNetwork(clock=pycom_clock) as network:
        yield network


@pytest.fixture
def pycom_real_network(pycom_clock: Clock) -> Iterator[RealNetwork]:
    """A nameserver, and a network of sockets on loopback, for threads and processes."""
    from pycom_core.testing import RealNetwork

    with RealNetwork(clock=pycom_clock) as network:
        yield network


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """Show the logs of processes where a test failed."""
    report = yield
    real = sys.modules.get("pycom_core.testing.real")
    if real is not None and report.failed:
        report.sections.extend((f"Log of {title}", text) for title, text in real.open_logs())
    return report
