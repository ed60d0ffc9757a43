"""RPyC. Results are items, as a dict would be a reference, with a call for each access."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rpyc
from rpyc.utils.server import ThreadedServer

from contenders import ARGUMENTS
from contenders.serving import host_and_port, listens_on

DISTRIBUTIONS = ("rpyc",)


def one(address: str) -> Callable[[], Any]:
    bar = rpyc.connect(*host_and_port(address)).root.bar
    return lambda: dict(bar(**ARGUMENTS))


def echo(address: str) -> Callable[[bytes], bytes]:
    remote = rpyc.connect(*host_and_port(address)).root.echo
    return lambda blob: remote(blob)


class Example(rpyc.Service):
    def exposed_bar(self, name: str, value: Any = None) -> tuple[tuple[str, Any], ...]:
        return tuple({name: value}.items())

    def exposed_echo(self, blob: bytes) -> bytes:
        return blob


def serve() -> None:
    server = ThreadedServer(Example, hostname="127.0.0.1", port=0)
    listens_on(f"127.0.0.1:{server.port}")
    server.start()


if __name__ == "__main__":
    serve()
