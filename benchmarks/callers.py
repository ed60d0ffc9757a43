"""Clients of `faults.py`, a process each: `callers.py KIND OPTIONS`.

It says "ready", begins with the first line of its input, and at the end of that prints what it saw.
Options and what it saw are JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pycom
from pycom_core import addresses
from pycom_plugins.transport_zmtp.engine import Connection, Null

INTERFACE = "benchmarks.faulty"
#: s of `time.monotonic()` at which a call began and ended, and how it ended.
Call = tuple[float, float, str]

#: Arguments of calls that are given up by nobody.
UNNOTED = {"caller": "flood", "until": 1e12}
#: Set when the input has ended.
over = threading.Event()


def main() -> None:
    kind, options = sys.argv[1], json.loads(sys.argv[2])
    saw = KINDS[kind](**options)
    over.wait()
    json.dump(saw, sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # whatever waits still


def ready() -> None:
    """Say so, wait for the first line of the input, and notice its end from now on."""
    print("ready", flush=True)
    sys.stdin.readline()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()


def outcome(error: Exception) -> str:
    code = f" {error.code}" if isinstance(error, pycom.RemoteError) else ""
    sent = getattr(error, "sent", None)
    return type(error).__name__ + code + ("" if sent is None else f", sent={sent}")


def arguments(method: str, name: str, timeout: float, seconds: float) -> dict[str, Any]:
    if method == "note":
        return {"caller": name, "until": time.monotonic() + timeout / 1000}
    return {"seconds": seconds}


# Callers that use PyCOM as users do.


def steady(
    name: str,
    address: str = "",
    nameserver: str = "",
    timeout: float = 1000,
    interval: float = 0.02,
    method: str = "note",
    seconds: float = 0,
) -> list[Call]:
    """One call after the other, by a component that is held."""
    context = pycom.Context(nameserver or address, timeout=timeout)
    component = context.locate(INTERFACE) if nameserver else context.connect(address, INTERFACE)
    with contextlib.suppress(pycom.PycomError):
        component.invoke("note", arguments("note", name, timeout, 0))
    ready()
    calls = []
    while not over.is_set():
        began = time.monotonic()
        try:
            component.invoke(method, arguments(method, name, timeout, seconds))
            ended = "answered"
        except Exception as error:
            ended = outcome(error)
        calls.append((began, time.monotonic(), ended))
        time.sleep(interval)
    return calls


def steady_async(
    name: str,
    address: str = "",
    nameserver: str = "",
    timeout: float = 1000,
    interval: float = 0.02,
    width: int = 1,
    burst: int = 0,
    method: str = "note",
    seconds: float = 0,
) -> list[Call]:
    """As many such calls at a time as `width`; or all calls of a burst at once."""
    calls: list[Call] = []

    async def call(component: Any) -> None:
        began = time.monotonic()
        try:
            await component.invoke(method, arguments(method, name, timeout, seconds))
            ended = "answered"
        except Exception as error:
            ended = outcome(error)
        calls.append((began, time.monotonic(), ended))

    async def go_on(component: Any) -> None:
        while not over.is_set():
            await call(component)
            await asyncio.sleep(interval)

    async def run() -> None:
        async with pycom.AsyncContext(nameserver or address, timeout=timeout) as context:
            if nameserver:
                component = await context.locate(INTERFACE)
            else:
                component = await context.connect(address, INTERFACE)
            with contextlib.suppress(pycom.PycomError):
                await component.invoke("note", arguments("note", name, timeout, 0))
            ready()
            if burst:
                await asyncio.gather(*(call(component) for _ in range(burst)))
                await asyncio.to_thread(over.wait)  # connected
            else:
                await asyncio.gather(*(go_on(component) for _ in range(width)))

    asyncio.run(run())
    return calls


def once(address: str, timeout: float, size: int = 1, descriptors: int = 0) -> list[Call]:
    """A call over a new connection, with an attachment.

    This process may have so few descriptors, and all of them are used up.
    """
    before = connected(address, timeout)
    before.invoke("take", attachment=b"")
    kept = exhaust(descriptors) if descriptors else []
    ready()
    began = time.monotonic()
    try:
        with connected(address, timeout) as component:
            component.invoke("take", attachment=bytes(size))
        ended = "answered"
    except Exception as error:
        ended = outcome(error)
        print(error, file=sys.stderr)
    finished = time.monotonic()
    for one in (*kept, before):
        one.close()
    return [(began, finished, ended)]


def connected(address: str, timeout: float) -> Any:
    return pycom.Context(address, timeout=timeout).connect(address, INTERFACE)


def exhaust(descriptors: int) -> list[socket.socket]:
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    kept = []
    with contextlib.suppress(OSError):
        while True:
            kept.append(socket.socket())
    return kept


# Clients that no library of ours would be.


class Raw:
    """A connection by hand, after its handshake."""

    def __init__(self, connected: socket.socket, timeout: float | None = None) -> None:
        self.connection = Connection("DEALER", Null())
        self.socket = connected
        self.socket.settimeout(timeout)
        self.socket.sendall(self.connection.greeting())
        while not self.connection.ready:
            data = self.socket.recv(1000)
            if not data:
                raise ConnectionResetError
            self.connection.receive(data)
            self.socket.sendall(self.connection.outgoing())

    def request(self, method: str, args: dict[str, Any]) -> bytes:
        body = {"version": "1.0", "interface": INTERFACE, "method": method, "args": args}
        frames = [b"1", b"", b"CALL", json.dumps(body).encode()]
        return b"".join(self.connection.encode(frames))


def connect(address: str) -> socket.socket:
    tcp = addresses.tcp(address)
    assert tcp is not None
    return socket.create_connection((tcp.host, int(tcp.port)))


def flood(
    address: str, count: int, method: str = "note", args: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Requests without a deadline whose replies nobody reads."""
    raw = Raw(connect(address))
    ready()
    request, sent, piece, ended = raw.request(method, args or UNNOTED), 0, min(count, 100), "all"
    try:
        for _ in range(0, count, piece):
            raw.socket.sendall(request * piece)
            sent += piece
    except OSError as error:
        ended = str(error)
    over.wait()  # connected
    return {"sent": sent, "ended": ended}


def idle(address: str, count: int) -> dict[str, int]:
    """Connections on which nothing is said after the handshake, as far as there is one."""
    made = [connect(address) for _ in range(count)]
    shaken = 0
    for one in made:
        with contextlib.suppress(OSError):
            Raw(one, timeout=0.2)
            shaken += 1
    ready()
    over.wait()  # connected
    return {"shook hands": shaken}


KINDS: dict[str, Callable[..., Any]] = {
    kind.__name__: kind for kind in (steady, steady_async, once, flood, idle)
}


if __name__ == "__main__":
    main()
