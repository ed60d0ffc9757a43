"""A server of the transport `zmtp` for tests, and clients of it that do as they are told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

import helpers
import pytest
from zmtp_peers import Wire

from pycom_core import addresses, logger
from pycom_core.loops._eventloop import run_forever
from pycom_core.messages import Delivery
from pycom_plugins.transport_zmtp.engine import Connection, Null
from pycom_plugins.transport_zmtp.limits import Limits
from pycom_plugins.transport_zmtp.transport import ZmtpTransport

_T = TypeVar("_T")
_RESET = struct.pack("ii", 1, 0)  # struct linger


def echo(delivery: Delivery) -> None:
    """Answer a request with what it brought."""
    assert delivery.reply is not None
    *envelope, _, body = delivery.frames
    delivery.reply([*envelope, b"OK", body])


class Stage:
    """A listener on a loop in a thread of its own. `ran` are the bodies of requests, in order."""

    loop: asyncio.AbstractEventLoop
    closed = False

    def __init__(self, do: Callable[[Delivery], object] = echo, **options: Any) -> None:
        """`options` are limits, and those of the transport."""
        limits = {name: options.pop(name) for name in list(options) if hasattr(Limits(), name)}
        self.do = do
        self.ran: list[bytes] = []
        address = options.pop("address", helpers.ANY_PORT)
        make = options.pop("loop", asyncio.new_event_loop)
        self.listener = ZmtpTransport(Limits(**limits), **options).listen(address, self)
        self.loop = make()
        self.listener.start(self.loop)
        self._thread = threading.Thread(target=run_forever, args=[self.loop])
        self._thread.start()

    def accept(self, delivery: Delivery) -> None:
        self.ran.append(bytes(delivery.frames[-1]))
        self.do(delivery)

    async def answer(self, frames: Any, nested: bool = False) -> Any:
        raise NotImplementedError

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.listener.close()
        self.loop.close()

    def stop(self) -> None:
        """Stop the loop."""
        if isinstance(self.do, Gate):
            self.do.open()
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()

    def within(self, do: Callable[[], _T]) -> _T:
        """The result of a function that the loop runs."""
        result: Future[_T] = Future()

        def run() -> None:
            try:
                result.set_result(do())
            except BaseException as error:
                result.set_exception(error)

        self.loop.call_soon_threadsafe(run)
        return result.result(helpers.PATIENCE)

    def connections(self) -> int:
        return self.within(lambda: len(self.listener._connections))

    def plain(self) -> socket.socket:
        """A connection on which nothing was said."""
        return plain(self.listener.address)

    def client(self, sock: socket.socket | None = None) -> Client:
        """A client after its handshake."""
        return Client(sock or self.plain())


def plain(address: str) -> socket.socket:
    """A connection to an address on which nothing was said."""
    tcp = addresses.tcp(address)
    if tcp is not None:
        return socket.create_connection((tcp.host, int(tcp.port)), helpers.PATIENCE)
    made = socket.socket(socket.AF_UNIX)
    try:
        made.settimeout(helpers.PATIENCE)
        made.connect(address.removeprefix("ipc://").replace("@", "\0"))
    except BaseException:
        made.close()
        raise
    return made


class Client(Wire):
    """A DEALER after its handshake."""

    def __init__(self, sock: socket.socket, **options: Any) -> None:
        super().__init__(Connection("DEALER", Null(), **options), sock)
        self.sock = sock
        self.ready()
        sock.sendall(self.connection.outgoing())

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def begin(self, *bodies: bytes) -> None:
        """Send requests."""
        self.send_bytes(b"".join(requests(self, *bodies)))

    def ask(self, body: bytes) -> bytes:
        """Send a request, and return what comes back."""
        self.begin(body)
        return self.message()[-1]

    def reset(self) -> None:
        """Vanish without a word."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.sock.close()

    def is_ended(self) -> bool:
        """Read to the end of the connection."""
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                self.next()
        return True


def requests(client: Client, *bodies: bytes) -> Iterator[bytes]:
    """The bytes of requests."""
    for body in bodies:
        for buffer in client.connection.encode([b"1", b"", b"CALL", body]):
            yield bytes(buffer)


class Gate:
    """A handler that holds the loop from the request `hold` on, until it may go on."""

    def __init__(self) -> None:
        self.is_held, self._may_go_on = threading.Event(), threading.Event()

    def __call__(self, delivery: Delivery) -> None:
        if bytes(delivery.frames[-1]) == b"hold":
            self.is_held.set()
            assert self._may_go_on.wait(helpers.PATIENCE)
        echo(delivery)

    def wait(self) -> None:
        assert self.is_held.wait(helpers.PATIENCE)

    def open(self) -> None:
        self._may_go_on.set()


class Held:
    """A handler that keeps requests, but for `now`, until it answers them."""

    def __init__(self) -> None:
        self.running: list[Delivery] = []

    def __call__(self, delivery: Delivery) -> None:
        if bytes(delivery.frames[-1]) == b"now":
            echo(delivery)
        else:
            self.running.append(delivery)

    def answer(self, count: int) -> None:
        for _ in range(count):
            echo(self.running.pop(0))


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of PyCOM's log."""
    return [record.getMessage() for record in caplog.records if record.name == logger().name]
