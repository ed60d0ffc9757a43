"""An environment with PyCOM as users have it."""

from __future__ import annotations

import pytest
from wheels import Environment, base_environment


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel of this project, and with tools for tests."""
    return base_environment(tmp_path_factory.mktemp("environments"))
