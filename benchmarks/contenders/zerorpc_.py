"""zerorpc. Calls in flight are greenlets of gevent. Its heartbeat would end idle clients."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent
import zerorpc

from contenders import ARGUMENTS, WINDOW
from contenders.asynchronous import Measure
from contenders.serving import free_port, listens_on

DISTRIBUTIONS = ("zerorpc",)


def _client(address: str) -> Any:
    return zerorpc.Client(address, heartbeat=None)


def one(address: str) -> Callable[[], Any]:
    client = _client(address)
    return lambda: client.bar(*ARGUMENTS.values())


# It has no clients for threads.
threads = None


def many(address: str) -> Measure:
    client = _client(address)

    def measure(seconds: float) -> float:
        started, count = time.perf_counter(), 0

        def worker() -> None:
            nonlocal count
            while time.perf_counter() - started < seconds:
                client.bar(*ARGUMENTS.values())
                count += 1

        gevent.joinall([gevent.spawn(worker) for _ in range(WINDOW)], raise_error=True)
        return (time.perf_counter() - started) / count

    return measure


def echo(address: str) -> Callable[[bytes], bytes]:
    client = _client(address)
    return lambda blob: client.echo(blob)


class Example:
    def bar(self, name: str, value: Any = None) -> dict[str, Any]:
        return {name: value}

    def echo(self, blob: bytes) -> bytes:
        return blob


def serve() -> None:
    server = zerorpc.Server(Example(), heartbeat=None)
    address = f"tcp://127.0.0.1:{free_port()}"
    server.bind(address)
    listens_on(address)
    server.run()


if __name__ == "__main__":
    serve()
