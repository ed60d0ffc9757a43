"""Checks that find unfit contributions of plugins before their first use."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from pycom_core.backends import Guarantee

_NAMES = {"url": "URL", "runtime": "runtime"}


def wrong_factory(factory: Any, takes: str = "url") -> str | None:
    """Say what a factory must be and is not, as the end of a sentence; None if it is fit."""
    wanted = f"must be a factory({takes})"
    if not callable(factory):
        return wanted
    if _is_async(factory):
        return f"{wanted} that is not async; connect in the methods of what it makes"
    clock = {"clock": None} if takes == "url" and takes_clock(factory) else {}
    if not _takes(factory, 1, **clock):
        return f"{wanted}, which takes one argument, the {_NAMES[takes]}"
    return None


def takes_clock(factory: Callable[..., Any]) -> bool:
    """Tell whether a factory takes the clock of the runtime, as `clock`."""
    try:
        return "clock" in inspect.signature(factory).parameters
    except (TypeError, ValueError):  # of some callables nothing is known
        return False


def wrong_object(given: Any, base: type[Any]) -> str | None:
    """Say what an object must be to serve as a `base` and is not, as the end of a sentence."""
    methods = {
        name: spec
        for name, spec in vars(base).items()
        if inspect.isfunction(spec) and not name.startswith("_")
    }
    if inspect.isclass(given) or not all(hasattr(given, name) for name in methods):
        return f"must be an object of a subclass of {base.__name__}, not {given!r:.100}"
    guarantees = getattr(given, "guarantees", Guarantee.NONE)
    if not isinstance(guarantees, Guarantee):
        return (
            f"has guarantees = {guarantees!r:.100}; "
            "write Guarantee.NONE, or Guarantee.PERSISTENT | Guarantee.SHARED"
        )
    for name, spec in methods.items():
        found, parameters = getattr(given, name), inspect.signature(spec).parameters
        fits = _is_async(found) in (None, _is_async(spec)) and _takes(found, len(parameters) - 1)
        if not fits:
            kind = "async def" if _is_async(spec) else "def"
            return f"must have {kind} {name}({', '.join(parameters)}), and has another {name}"
    return None


def _is_async(function: Any) -> bool | None:
    """Tell whether a call of it gives a coroutine; None: unknown before the call."""
    function = inspect.unwrap(function)
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        type(function).__call__
    ):
        return True
    return False if inspect.isroutine(function) or inspect.isclass(function) else None


def _takes(function: Callable[..., Any], count: int, **keywords: Any) -> bool:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of some callables nothing is known
        return True
    try:
        signature.bind(*range(count), **keywords)
    except TypeError:
        return False
    return True
