"""The yardstick for attachments: a bare ROUTER that echoes its input, copied or not."""

from __future__ import annotations

import sys
from collections.abc import Callable

import zmq


def client(address: str, copy: bool) -> Callable[[bytes], object]:
    """Return a function that sends bytes through a REQ socket, and returns the reply."""
    socket = zmq.Context.instance().socket(zmq.REQ)
    socket.connect(address)

    def echo(blob: bytes) -> object:
        socket.send(blob, copy=copy)
        return socket.recv(copy=copy)

    return echo


def serve(copy: bool) -> None:
    socket = zmq.Context.instance().socket(zmq.ROUTER)
    socket.bind("tcp://127.0.0.1:*")
    print("listens on", socket.getsockopt_string(zmq.LAST_ENDPOINT), file=sys.stderr, flush=True)
    while True:
        socket.send_multipart(socket.recv_multipart(copy=copy), copy=copy)


if __name__ == "__main__":
    serve(copy="copy" in sys.argv)
