"""Bare pyzmq with JSON: the yardstick. REQ and ROUTER, and a DEALER for many in flight."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from typing import Any

import bare
import bare_echo
import zmq

from contenders import ARGUMENTS, WINDOW
from contenders.asynchronous import Measure

DISTRIBUTIONS = ("pyzmq",)


def one(address: str) -> Callable[[], Any]:
    call = bare.client(address)
    return lambda: call(ARGUMENTS)


def many(address: str) -> Measure:
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.RCVTIMEO, 10_000)
    socket.connect(address)
    request = {"interface": "com.foo.example", "method": "bar", "args": ARGUMENTS}
    serials = itertools.count()

    def send() -> None:
        correlation = b"%x" % next(serials)
        socket.send_multipart([correlation, b"", b"CALL", bare.encode(request)])

    def measure(seconds: float) -> float:
        started = time.perf_counter()
        for _ in range(WINDOW):
            send()
        count = 0
        while time.perf_counter() - started < seconds:
            _correlation, _delimiter, _status, body = socket.recv_multipart()
            bare.decode(body)
            count += 1
            send()
        for _ in range(WINDOW):
            socket.recv_multipart()
        return (time.perf_counter() - started) / (count + WINDOW)

    return measure


def echo(address: str) -> Callable[[bytes], object]:
    return bare_echo.client(address, copy=True)


if __name__ == "__main__":
    bare_echo.serve(copy=True) if "echo" in sys.argv else bare.serve()
