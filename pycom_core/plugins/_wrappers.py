"""Wrappers of plugins around actions of the kernel: `pycom_invoke` and `pycom_client_invoke`."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from pycom_core.errors import PycomError
from pycom_core.loops._failures import is_failure
from pycom_core.plugins._chains import Chain, Chains, Link


def wrapped(
    chains: Chains, hook: str, wrappers: Chain, *arguments: Any, gives: type = object
) -> Generator[None, Any, Any]:
    """Open the wrappers, pause for the wrapped action, and close them with its outcome.

    It ends without the pause if an outer wrapper answers for an inner one that failed.
    A wrapper must return a `gives`.
    Raises `HookFailed` for a wrapper that breaks the rules.
    """
    opened: list[tuple[Link, Any]] = []
    result: Any = None
    error: BaseException | None = None
    culprit: Link | None = None  # the wrapper that `error` is of, if it is one's
    try:
        for wrapper in wrappers:
            culprit = wrapper
            generator = wrapper(*arguments)
            if next(generator, generator) is generator:
                raise TypeError("a wrapper that never yields")
            opened.append((wrapper, generator))
        culprit = None
        result = yield
    except BaseException as raised:
        error = raised
    for wrapper, generator in reversed(opened):
        try:
            if error is None:
                generator.send(result)
            else:
                generator.throw(error)
        except StopIteration as stop:
            result, error = stop.value, None
            if not isinstance(result, gives):
                what = f"a wrapper that returns {type(result).__name__}, no {gives.__name__}"
                error, culprit = TypeError(what), wrapper
        except BaseException as raised:
            if raised is not error:
                error, culprit = raised, wrapper
        else:
            generator.close()
            error, culprit = TypeError("a wrapper that yields twice"), wrapper
    if error is None:
        return result
    if culprit is not None and is_failure(error) and not isinstance(error, PycomError):
        raise chains.failure(culprit, f"failed in {hook}: {error!r}") from error
    raise error
