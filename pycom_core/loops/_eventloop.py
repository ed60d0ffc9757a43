"""The event loop that services run on, and tasks that repeat on it."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from pycom_core.errors import ConfigurationError
from pycom_core.log import logger
from pycom_core.loops._failures import of_signal, of_task

_T = TypeVar("_T")


def new_event_loop(kind: str = "auto") -> asyncio.AbstractEventLoop:
    """Return a loop of "uvloop", of "asyncio", or with "auto" of uvloop if it is installed.

    Raises `ConfigurationError` for uvloop if it is not installed.
    """
    if kind != "asyncio":
        try:
            import uvloop
        except ImportError:
            if kind == "uvloop":
                raise ConfigurationError(
                    'event_loop is "uvloop", which is not installed: pip install uvloop'
                ) from None
        else:
            return _letting_go(uvloop.Loop)()
    return asyncio.new_event_loop()


@functools.cache
def _letting_go(base: Any) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return a class of loops that warn and close when they are dropped, like asyncio's own."""

    def __del__(loop: Any) -> None:
        if not sys.is_finalizing():  # the end of the process closes all there is
            asyncio.BaseEventLoop.__del__(loop)

    return type("Loop", (base,), {"__del__": __del__})


def run_forever(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped, whatever tasks and callbacks of methods raise."""
    undisturbed(loop.run_forever)


def undisturbed(run: Callable[[], _T]) -> _T:
    """Call a function that runs a loop, and call it again after a SystemExit on the loop.

    A Task raises SystemExit and KeyboardInterrupt where it is awaited, and out of its loop too.
    Only an exception that the handler of a signal raised is meant for the program.
    """
    while True:
        try:
            return run()
        except (SystemExit, KeyboardInterrupt) as error:
            if of_signal(error):
                raise
            if not of_task(error):
                logger().exception("A callback of the event loop failed")


def finish(loop: asyncio.AbstractEventLoop, patience: float) -> None:
    """Close a loop that has stopped. Cancels the tasks that still run on it, and waits for them.

    `patience` is in s; tasks that do not end in time are left.
    """
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    try:
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=patience))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


class PeriodicTask:
    """A callback that repeats on an event loop, from `start` to `stop`."""

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
        except BaseException as error:
            if of_signal(error):
                raise
            logger().exception("A repeating task failed")
