"""Running a contract suite on something, to see which of its tests fail."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import pytest


def suite_of(contract: type) -> set[str]:
    """Names of its tests."""
    return {name for name in dir(contract) if name.startswith("test_")}


def failing(contract: type, fixtures: Callable[[], Mapping[str, Any]]) -> set[str]:
    """Names of the tests that do not pass. `fixtures` are made anew for each; they close."""
    return {
        name for name in suite_of(contract) if not passes(getattr(contract(), name), fixtures())
    }


def passes(test: Callable[..., None], fixtures: Mapping[str, Any]) -> bool:
    """Tell whether a test passes or is skipped."""
    try:
        test(**{name: fixtures[name] for name in inspect.signature(test).parameters})
    except pytest.skip.Exception:
        return True
    except (Exception, pytest.fail.Exception):
        return False
    finally:
        for fixture in fixtures.values():
            if hasattr(fixture, "close"):
                fixture.close()
    return True
