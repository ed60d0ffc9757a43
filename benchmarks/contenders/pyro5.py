"""Pyro5 with its own serializer. A proxy belongs to one thread, so each thread has its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import Pyro5.api
import serpent

from contenders import ARGUMENTS
from contenders.serving import listens_on

DISTRIBUTIONS = ("Pyro5",)


def one(address: str) -> Callable[[], Any]:
    proxy: Any = None

    def call() -> Any:
        nonlocal proxy
        if proxy is None:  # in the thread that calls
            proxy = Pyro5.api.Proxy(address)
        return proxy.bar(**ARGUMENTS)

    return call


def echo(address: str) -> Callable[[bytes], bytes]:
    proxy = Pyro5.api.Proxy(address)
    # bytes come as a dict of base64
    return lambda blob: serpent.tobytes(proxy.echo(blob))


@Pyro5.api.expose
class Example:
    def bar(self, name: str, value: Any = None) -> dict[str, Any]:
        return {name: value}

    def echo(self, blob: Any) -> bytes:
        return serpent.tobytes(blob)


def serve() -> None:
    daemon = Pyro5.api.Daemon(host="127.0.0.1")
    listens_on(daemon.register(Example()))
    daemon.requestLoop()


if __name__ == "__main__":
    serve()
