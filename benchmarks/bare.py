"""The yardstick: the seed's method over a bare ROUTER, with nothing but JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import msgspec
import zmq

encode, decode = msgspec.json.encode, msgspec.json.decode


def client(address: str, **options: Any) -> Callable[[dict[str, Any]], Any]:
    """A function that calls `bar` through a REQ socket with the options."""
    socket = _socket(zmq.REQ, options)
    socket.connect(address)

    def call(args: dict[str, Any]) -> Any:
        request = {"interface": "com.foo.example", "method": "bar", "args": args}
        socket.send_multipart([b"CALL", encode(request)])
        _status, body = socket.recv_multipart()
        return decode(body)["result"]

    return call


def _socket(kind: int, options: dict[str, Any]) -> zmq.Socket[bytes]:
    socket = zmq.Context.instance().socket(kind)
    for name, value in options.items():
        setattr(socket, name, value)
    return socket


def bar(name: str, value: Any = None) -> dict[str, Any]:
    return {name: value}


def serve(**options: Any) -> None:
    socket = _socket(zmq.ROUTER, options)
    socket.bind("tcp://127.0.0.1:*")
    print("listens on", socket.getsockopt_string(zmq.LAST_ENDPOINT), file=sys.stderr, flush=True)
    methods = {"bar": bar}
    while True:
        *address, _command, body = socket.recv_multipart()
        request = decode(body)
        result = methods[request["method"]](**request["args"])
        reply = encode({"code": 0, "result": result})
        socket.send_multipart([*address, b"OK", reply])


if __name__ == "__main__":
    serve()
