"""Logging of every call of a hook, if `plugins.trace` is set."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from pycom_core.log import logger

#: Name of the logger that gets a line for each call, at the level INFO.
LOGGER = "pycom.trace"


def traced(function: Callable[..., Any], hook: str, plugin: str) -> Callable[..., Any]:
    """Wrap a function so that each call is logged: its plugin, duration and outcome.

    The time of an async hook runs until its end; that of a wrapper includes what it wraps.
    """
    # Not above, where the command line would pay for it too.
    from pycom_core.loops._waiting import waits

    def wrapper(*values: Any) -> Generator[Any, Any, Any]:
        watch = _Watch(hook, plugin)
        try:
            result = yield from function(*values)
        except BaseException as error:
            watch.stop(error)
            raise
        watch.stop()
        return result

    def plain(*values: Any) -> Any:
        watch = _Watch(hook, plugin)
        try:
            result = function(*values)
        except BaseException as error:
            watch.stop(error)
            raise
        if waits(result):
            return watch.until_end(result)
        watch.stop()
        return result

    return wrapper if inspect.isgeneratorfunction(function) else plain


class _Watch:
    __slots__ = ("_hook", "_plugin", "_started")

    def __init__(self, hook: str, plugin: str) -> None:
        self._hook, self._plugin = hook, plugin
        self._started = time.perf_counter()

    async def until_end(self, result: Awaitable[Any]) -> Any:
        try:
            value = await result
        except BaseException as error:
            self.stop(error)
            raise
        self.stop()
        return value

    def stop(self, error: BaseException | None = None) -> None:
        ms = (time.perf_counter() - self._started) * 1000
        outcome = "returned" if error is None else f"raised {error!r}"
        logger(LOGGER).info("%s of %s %s after %.3f ms", self._hook, self._plugin, outcome, ms)
