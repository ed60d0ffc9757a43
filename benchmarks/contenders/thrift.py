"""thriftpy2: its types are fixed by an IDL, its protocol and transport are Cython."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import thriftpy2
from thriftpy2.protocol import TCyBinaryProtocolFactory
from thriftpy2.rpc import make_client
from thriftpy2.server import TThreadedServer
from thriftpy2.thrift import TProcessor
from thriftpy2.transport import TCyBufferedTransportFactory, TServerSocket

from contenders import ARGUMENTS
from contenders.serving import free_port, host_and_port, listens_on

DISTRIBUTIONS = ("thriftpy2",)
_IDL = thriftpy2.load(str(Path(__file__).with_name("example.thrift")), module_name="example_thrift")


def _client(address: str) -> Any:
    return make_client(_IDL.Example, *host_and_port(address), timeout=60_000)


def one(address: str) -> Callable[[], Any]:
    client = _client(address)
    return lambda: client.bar(**ARGUMENTS)


def echo(address: str) -> Callable[[bytes], bytes]:
    client = _client(address)
    return lambda blob: client.echo(blob)


class Example:
    def bar(self, name: str, value: int) -> dict[str, int]:
        return {name: value}

    def echo(self, blob: bytes) -> bytes:
        return blob


def serve() -> None:
    port = free_port()
    socket = TServerSocket("127.0.0.1", port, client_timeout=None)
    server = TThreadedServer(
        TProcessor(_IDL.Example, Example()),
        socket,
        iprot_factory=TCyBinaryProtocolFactory(),
        itrans_factory=TCyBufferedTransportFactory(),
        daemon=True,
    )
    socket.listen()
    listens_on(f"127.0.0.1:{port}")
    server.serve()


if __name__ == "__main__":
    serve()
