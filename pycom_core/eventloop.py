"""The event loop that services run on, and tasks that repeat on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pycom_core.errors import ConfigurationError
from pycom_core.log import logger


def new_event_loop(kind: str = "auto") -> asyncio.AbstractEventLoop:
    """A loop of "uvloop", of "asyncio", or with "auto" of uvloop where that is installed.

    Raises `ConfigurationError` for uvloop where it is not.
    """
    if kind != "asyncio":
        try:
            import uvloop
        except ImportError:
            if kind == "uvloop":
                raise ConfigurationError(
                    "event_loop is \"uvloop\", which is not installed: pip install 'pycom[uvloop]'"
                ) from None
        else:
            loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
            return loop
    return asyncio.new_event_loop()


class PeriodicTask:
    """Calls back again and again on an event loop, from `start` to `stop`."""

    def __init__(
        self, callback: Callable[[], object], timeout: float, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._callback, self._seconds, self._loop = callback, timeout / 1000, loop
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Call back from now on, each time after the timeout. On the loop's thread."""
        if self._handle is None:
            self._handle = self._loop.call_later(self._seconds, self._run)

    def stop(self) -> None:
        """Call back no more. On the loop's thread."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _run(self) -> None:
        self._handle = self._loop.call_later(self._seconds, self._run)
        try:
            self._callback()
        except Exception:
            logger().exception("A repeating task failed")
