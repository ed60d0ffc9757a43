"""A service whose methods fail in unusual ways."""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
from typing import Any

import pycom
import zerojson


class Timeout(BaseException):
    """A timeout like gevent's, which is no `Exception`."""


def end(how: str) -> None:
    """Raise what is asked for."""
    if how == "exit":
        sys.exit(3)
    if how == "usage":
        argparse.ArgumentParser(prog="tool").parse_args(["--unknown"])
    kinds = (KeyboardInterrupt, GeneratorExit, StopIteration, asyncio.CancelledError, Timeout)
    raise {kind.__name__: kind for kind in kinds}[how]


@pycom.interface("test.raising")
class Raising(pycom.Service):
    @pycom.method
    def echo(self, request: Any, value: Any) -> Any:
        return value

    @pycom.method
    def sync(self, request: Any, how: str) -> None:
        end(how)

    @pycom.method
    async def later(self, request: Any, how: str) -> None:
        await asyncio.sleep(0)
        end(how)

    @pycom.method
    async def task(self, request: Any, how: str) -> None:
        """Fail in a task of the method's own."""
        await asyncio.gather(self.later(request, how))

    @pycom.method
    def nested(self, request: Any, how: str) -> Any:
        """Fail in an async method of the same process."""
        with request.context().connect(request.server.addresses[0], "test.raising") as component:
            return component.invoke("task", {"how": how})

    @pycom.method
    def promised(self, request: Any, how: str) -> Any:
        future = zerojson.Future(request)

        def work() -> None:
            try:
                end(how)
            except BaseException:
                future.exception()

        threading.Thread(target=work).start()
        return future
