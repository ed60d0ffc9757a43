"""A plain TCP socket with JSON, each message after its length: the cost of the network itself."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from contenders import ARGUMENTS
from contenders.serving import host_and_port, listens_on

DISTRIBUTIONS = ()
_LENGTH = struct.Struct("!Q")
#: Bytes from which a body is sent by itself; such a body is no call, but is echoed.
_LARGE = 65_536
encode, decode = msgspec.json.encode, msgspec.json.decode


def _connect(address: str) -> socket.socket:
    connection = socket.create_connection(host_and_port(address))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _send(connection: socket.socket, body: bytes | bytearray) -> None:
    if len(body) < _LARGE:
        connection.sendall(_LENGTH.pack(len(body)) + body)
    else:
        connection.sendall(_LENGTH.pack(len(body)))
        connection.sendall(body)


def _receive(connection: socket.socket) -> bytearray:
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    return _exactly(connection, length)


def _exactly(connection: socket.socket, length: int) -> bytearray:
    data = bytearray(length)
    view, filled = memoryview(data), 0
    while filled < length:
        count = connection.recv_into(view[filled:])
        if not count:
            raise EOFError
        filled += count
    return data


def one(address: str) -> Callable[[], Any]:
    connection = _connect(address)

    def call() -> Any:
        _send(connection, encode({"method": "bar", "args": ARGUMENTS}))
        return decode(_receive(connection))["result"]

    return call


def echo(address: str) -> Callable[[bytes], bytearray]:
    connection = _connect(address)

    def exchange(blob: bytes) -> bytearray:
        _send(connection, blob)
        return _receive(connection)

    return exchange


def bar(name: str, value: Any = None) -> dict[str, Any]:
    return {name: value}


def handle(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, contextlib.suppress(EOFError):
        while True:
            body: bytes | bytearray = _receive(connection)
            if len(body) < _LARGE:
                request = decode(body)
                body = encode({"result": bar(**request["args"])})
            _send(connection, body)


def serve() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listens_on("{}:{}".format(*listener.getsockname()))
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=handle, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    serve()
