"""NATS: nats-py on both sides of a nats-server, which `PATH` must have."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import nats

from contenders import ARGUMENTS
from contenders.asynchronous import AsyncCall, Measure, connected
from contenders.asynchronous import many as many_async
from contenders.asynchronous import one as one_async
from contenders.serving import free_port, listens_on

DISTRIBUTIONS = ("nats-py",)
PROGRAM = "nats-server"
encode, decode = msgspec.json.encode, msgspec.json.decode


def _call(address: str) -> AsyncCall:
    async def connect() -> AsyncCall:
        connection = await nats.connect(address, allow_reconnect=False)

        async def call() -> Any:
            return decode((await connection.request("bar", encode(ARGUMENTS), timeout=5)).data)

        return call

    return connected(connect)


def one(address: str) -> Callable[[], Any]:
    return partial(one_async, _call(address))


# It has no clients for threads. Messages of 1 MiB are more than its server takes by default.
threads = None


def many(address: str) -> Measure:
    return partial(many_async, _call(address))


def bar(name: str, value: Any = None) -> dict[str, Any]:
    return {name: value}


async def serve(address: str) -> None:
    connection = await nats.connect(address)

    async def answer(message: Any) -> None:
        await message.respond(encode(bar(**decode(message.data))))

    await connection.subscribe("bar", cb=answer)
    await connection.flush()
    listens_on(address)
    await asyncio.Event().wait()


if __name__ == "__main__":
    port = free_port()
    broker = subprocess.Popen(
        [PROGRAM, "-a", "127.0.0.1", "-p", str(port)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert broker.stderr is not None
    next(line for line in broker.stderr if "Server is ready" in line)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        asyncio.run(serve(f"nats://127.0.0.1:{port}"))
    finally:
        broker.kill()
