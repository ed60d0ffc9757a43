"""Fixtures for tests of the transport `zmtp`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from awaited import NEW_LOOPS

from pycom_core import logger


@pytest.fixture(params=NEW_LOOPS.values(), ids=NEW_LOOPS)
def make_loop(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    made: Callable[[], asyncio.AbstractEventLoop] = request.param
    return made


@pytest.fixture
def all_lines(caplog: pytest.LogCaptureFixture) -> None:
    """The log has lines for information, too: see `zmtp_stage.lines`."""
    caplog.set_level(logging.INFO, logger().name)
