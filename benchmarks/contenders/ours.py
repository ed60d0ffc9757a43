"""PyCOM over TCP: with a given address it does not use the Unix socket."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import harness

import pycom
from contenders import ARGUMENTS
from contenders.asynchronous import AsyncCall, Measure, connected
from contenders.asynchronous import many as many_async
from pycom_core import Runtime

DISTRIBUTIONS = ("pycom",)


def one(address: str, runtime: Runtime | None = None) -> Callable[[], Any]:
    proxy = pycom.ProxyContext(address, runtime=runtime).connect(address, "benchmarks.seed")
    return lambda: proxy.bar(**ARGUMENTS)


def threads(address: str, runtime: Runtime | None = None) -> Callable[[], Callable[[], Any]]:
    call = one(address, runtime)  # one component, for all of them
    return lambda: call


def many(address: str, method: str = "bar", runtime: Runtime | None = None) -> Measure:
    async def connect() -> AsyncCall:
        context = pycom.AsyncContext(address, runtime=runtime)
        component = await context.connect(address, "benchmarks.seed")
        call = getattr(component, method)
        return lambda: call(**ARGUMENTS)

    return partial(many_async, connected(connect))


def echo(address: str, runtime: Runtime | None = None) -> Callable[[bytes], Any]:
    component = pycom.Context(address, runtime=runtime).connect(address, "benchmarks.echo")
    return lambda blob: component.invoke("as_bytes", {}, attachment=blob)[1]


def serve() -> None:
    os.chdir(harness.HERE / "services")
    command = [harness.script("pycom"), "run", "-a", harness.ANY_PORT, "seed", "echo"]
    os.execv(command[0], [*command, "pycom.apps.nameserver"])


if __name__ == "__main__":
    serve()
