"""Connections of the ZMTP engine for tests: with each other, and with sockets of libzmq."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import socket
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import zmq
from nacl import bindings

from pycom_core.messages import Attachment
from pycom_plugins.transport_zmtp.engine import (
    Connection,
    Event,
    Mechanism,
    Null,
    Ping,
    Ready,
    curve,
)
from pycom_plugins.transport_zmtp.engine.curve import CurveClient, CurveServer


def wire(connection: Connection, frames: Sequence[Attachment]) -> bytes:
    """A message as one piece of bytes."""
    return b"".join(connection.encode(frames))


def plain(event: Event) -> Any:
    """An event to compare: frames of a message as bytes, whatever holds them."""
    return [bytes(frame) for frame in event] if isinstance(event, list) else event


def pair(
    client: Mechanism | None = None, server: Mechanism | None = None, **limits: Any
) -> tuple[Connection, Connection]:
    """A DEALER and a ROUTER after their handshake; the limits are the ROUTER's."""
    dealer = Connection("DEALER", client or Null())
    router = Connection("ROUTER", server or Null(), as_server=True, **limits)
    router.receive(dealer.greeting())
    dealer.receive(router.greeting())
    while not (dealer.ready and router.ready):
        router.receive(dealer.outgoing())
        dealer.receive(router.outgoing())
    assert not dealer.outgoing()
    return dealer, router


class Wire:
    """An engine on a blocking TCP socket."""

    def __init__(self, connection: Connection, sock: socket.socket, piece: int = 65536) -> None:
        self.connection = connection
        self.events: list[Event] = []
        self._sock = sock
        self._piece = piece
        sock.settimeout(20)
        sock.sendall(connection.greeting())

    def send(self, *frames: Attachment) -> None:
        for buffer in self.connection.encode(frames):
            self._sock.sendall(buffer)

    def send_bytes(self, data: bytes) -> None:
        self._sock.sendall(data)

    def next(self) -> Event:
        """The next event; EOFError when the peer has closed."""
        while not self.events:
            target = self.connection.target()
            if target is None:
                data = self._sock.recv(self._piece)
                count = len(data)
                self.events += self.connection.receive(data)
            else:
                count = self._sock.recv_into(target)
                self.events += self.connection.filled(count)
            if not count:
                raise EOFError
            if answer := self.connection.outgoing():  # to send nothing may wait, too
                self._sock.sendall(answer)
        return self.events.pop(0)

    def ready(self) -> Ready:
        event = self.next()
        assert isinstance(event, Ready)
        return event

    def message(self) -> list[bytes]:
        """The next message; a PING before it was answered."""
        while isinstance(event := self.next(), Ping):
            pass
        assert isinstance(event, list)
        return [bytes(frame) for frame in event]


@contextmanager
def libzmq(kind: int, **options: Any) -> Iterator[zmq.Socket[bytes]]:
    """A socket of libzmq with the options, which are named as pyzmq's attributes."""
    with zmq.Context() as context, context.socket(kind) as sock:
        sock.linger = 0
        sock.rcvtimeo = sock.sndtimeo = 20_000
        for name, value in options.items():
            setattr(sock, name, value)
        yield sock


@contextmanager
def hangs_up(sock: zmq.Socket[bytes]) -> Iterator[None]:
    """Within it, a socket of libzmq closes a connection."""
    monitor = sock.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    monitor.rcvtimeo = 20_000
    try:
        yield
        monitor.recv_multipart()
    finally:
        monitor.close()
        sock.disable_monitor()


@contextmanager
def connected(
    sock: zmq.Socket[bytes], connection: Connection, piece: int = 65536
) -> Iterator[Wire]:
    """The engine as a client of a socket of libzmq."""
    port = sock.bind_to_random_port("tcp://127.0.0.1")
    with socket.create_connection(("127.0.0.1", port)) as plain_socket:
        yield Wire(connection, plain_socket, piece)


@contextmanager
def accepted(
    sock: zmq.Socket[bytes], make: Callable[[], Connection], piece: int = 65536
) -> Iterator[Wire]:
    """The engine as the server of a socket of libzmq."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock.connect(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        plain_socket, _ = listener.accept()
        with plain_socket:
            yield Wire(make(), plain_socket, piece)


def curve_keys(name: str) -> tuple[bytes, bytes]:
    """A pair of keys, always the same for a name."""
    return bindings.crypto_box_seed_keypair(hashlib.sha256(name.encode()).digest())


def curve_client() -> CurveClient:
    return CurveClient(curve_keys("server")[0], *curve_keys("client"))


def curve_server() -> CurveServer:
    return CurveServer(*curve_keys("server"))


@contextmanager
def fixed_randomness() -> Iterator[None]:
    """CURVE draws the same numbers and keys each time."""
    count = itertools.count()

    def number(size: int = 32) -> bytes:
        return hashlib.shake_256(b"%d" % next(count)).digest(size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curve, "os", SimpleNamespace(urandom=number))
        patch.setattr(
            bindings, "crypto_box_keypair", lambda: bindings.crypto_box_seed_keypair(number())
        )
        yield


def recorded_engine(socket_type: str, mechanism: str, **limits: Any) -> Connection:
    """The other end of a recorded socket of libzmq."""
    as_server = socket_type != "ROUTER"
    null = mechanism == "NULL"
    if as_server:
        return Connection("ROUTER", Null() if null else curve_server(), as_server=True, **limits)
    return Connection("DEALER", Null() if null else curve_client(), **limits)


@attrs.frozen
class Recording:
    """The words of a socket of libzmq to `recorded_engine`."""

    libzmq: str
    socket_type: str
    mechanism: str
    heard: bytes


def recordings() -> Iterator[Recording]:
    """Those that `recordings/record.py` wrote."""
    path = Path(__file__).parent / "plugins/transport_zmtp/recordings/libzmq.jsonl"
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        entry["heard"] = zlib.decompress(base64.b64decode(entry.pop("bytes")))
        yield Recording(**entry)
