"""Servers of the test's own for clients of the transport `zmtp`, which do as the test says."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmtp_peers

from pycom_core import CallTimeout, ServiceNotAvailable
from pycom_plugins.transport_zmtp.engine import Connection, Null


def router() -> Connection:
    return Connection("ROUTER", Null(), as_server=True)


class Listening:
    """A socket that listens. Connections are taken when the test says."""

    def __init__(self, backlog: int = 100, family: int = socket.AF_INET, where: Any = None) -> None:
        self.socket = socket.socket(family)
        self.socket.bind(where or ("127.0.0.1", 0))
        self.socket.listen(backlog)
        self.socket.settimeout(30)
        self.accepted: list[socket.socket] = []
        if family == socket.AF_UNIX:
            self.address = f"ipc://{where}"
        else:
            self.port = self.socket.getsockname()[1]
            self.address = f"tcp://127.0.0.1:{self.port}"

    def accept(self) -> socket.socket:
        made, _ = self.socket.accept()
        made.settimeout(30)
        self.accepted.append(made)
        return made

    def wire(self) -> zmtp_peers.Wire:
        """The next connection, after its handshake."""
        wire = zmtp_peers.Wire(router(), self.accept())
        wire.ready()
        return wire

    def close(self) -> None:
        for one in (self.socket, *self.accepted):
            one.close()


@contextlib.contextmanager
def listening(*arguments: Any, **options: Any) -> Iterator[Listening]:
    made = Listening(*arguments, **options)
    try:
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def doing(work: Callable[[], object]) -> Iterator[None]:
    """Do something in a thread meanwhile, and raise what it raised."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join(30)
    assert not thread.is_alive()
    if errors:
        raise errors[0]


@contextlib.contextmanager
def fails(sent: bool, match: str | None = None, late: bool = False) -> Iterator[None]:
    """Within it a call fails: it was sent or not, its time was up or not."""
    with pytest.raises(ServiceNotAvailable, match=match) as caught:
        yield
    assert caught.value.sent is sent
    assert isinstance(caught.value, CallTimeout) is late


def reset(connected: socket.socket) -> None:
    """End a connection as a killed process does that has not read everything."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connected.close()


def is_reset(sock: socket.socket) -> bool:
    """Read to the end of a connection, and tell whether it was reset."""
    try:
        while sock.recv(1000):
            pass
    except ConnectionResetError:
        return True
    return False


def answer(wire: zmtp_peers.Wire, *frames: bytes) -> list[bytes]:
    """Take a request and send it a reply; the request."""
    request = wire.message()
    envelope = request[: request.index(b"") + 1]
    wire.send(*envelope, b"OK", *(frames or request[len(envelope) + 1 :]))
    return request


def descriptors() -> int:
    """Number of open descriptors of this process."""
    return len(os.listdir("/dev/fd"))
