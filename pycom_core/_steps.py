"""Generators that pause once: steps before and after the work of somebody else."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

_ResultT = TypeVar("_ResultT")


def finish(steps: Generator[Any, Any, _ResultT], result: Any) -> _ResultT:
    """Go on after the pause, with its outcome. Raises RuntimeError for a second pause."""
    try:
        steps.send(result)
    except StopIteration as stop:
        value: _ResultT = stop.value
        return value
    raise RuntimeError("A generator that pauses once has paused twice")


def fail(steps: Generator[Any, Any, _ResultT], error: BaseException) -> _ResultT:
    """Go on with an exception. Raises what the steps make of it."""
    try:
        steps.throw(error)
    except StopIteration as stop:
        value: _ResultT = stop.value
        return value
    raise RuntimeError("A generator that pauses once has paused twice")
