"""The one seam for input and output: what a server listens on, and what a client sends through.

`ZmqTransport` is the real one; `pycom_core.transport._local` has the double that stays within the process.
"""

from __future__ import annotations

import _thread
import errno
import os
import select
import socket as sockets
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import zmq
from zmq.backend import Socket as _Backend
from zmq.backend import zmq_poll

from pycom_core import addresses, reach, timeouts
from pycom_core.errors import CallTimeout, ConfigurationError, ServiceNotAvailable
from pycom_core.log import logger
from pycom_core.lookups import Lookups
from pycom_core.messages import Attachment

if TYPE_CHECKING:
    from pycom_core.server._server import Server
    from pycom_core.transport._aio import AsyncChannel

#: `(time.monotonic() when it was received, frames)`
Arrival = tuple[float, list[Attachment]]
SocketHook = Callable[["zmq.Socket[bytes]", str, str], None]

#: Replies that may wait for one slow client, and requests from one busy client.
HIGH_WATER_MARK = 100_000


class Listener(ABC):
    """What a server answers on: one address, and perhaps more."""

    addresses: list[str]  #: as bound: with the real port

    @property
    def address(self) -> str:
        """The address that it was made for."""
        return self.addresses[0]

    @abstractmethod
    def also(self, address: str) -> None:
        """Bind one more address. Raises `ConfigurationError`."""

    @abstractmethod
    def fileno(self) -> int | None:
        """A descriptor that becomes readable when messages arrive; None: nothing is to be read."""

    @abstractmethod
    def receive(self) -> Arrival | None:
        """The next message that waits, or None."""

    @abstractmethod
    def stand_in(self) -> bool:
        """Take in what waits, from another thread, so that its time of arrival is known.

        True if there was something.
        """

    @abstractmethod
    def send(self, frames: Sequence[Attachment]) -> bool:
        """Send a reply; False if its client is gone or takes no more."""

    @abstractmethod
    def close(self) -> None:
        """Stop listening; replies that were sent still leave, for a bounded time."""

    def leave_to_parent(self) -> None:  # noqa: B027
        """In a forked child: let go of it, without a change to what the parent has."""


class Channel(ABC):
    """A way to one address, for one call at a time."""

    @abstractmethod
    def exchange(self, payload: Sequence[Attachment], timeout: float) -> list[Attachment]:
        """Send a request and return its reply, status frame first.

        `timeout` is in ms, and may be infinite. Raises `CallTimeout`; the channel must then be
        closed.
        """

    @abstractmethod
    def is_alive(self) -> bool:
        """Whether the connection stands now, as far as can be told without a call."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it. What was not sent is dropped."""


class Transport(ABC):
    """Makes listeners and channels."""

    @abstractmethod
    def listen(self, address: str, server: Server) -> Listener:
        """Bind `address`. Raises `ConfigurationError`."""

    @abstractmethod
    def connect(self, address: str) -> Channel:
        """A channel to `address`, which need not be there yet. Raises `ConfigurationError`."""

    @abstractmethod
    def connect_async(self, address: str) -> AsyncChannel:
        """A channel to `address` on the running event loop. Raises `ConfigurationError`."""

    def obstacle(self, address: str) -> str | None:
        """What keeps one from connecting to `address` now; None if nothing is known to.

        It may wait for the system, so it is for programs, not for the way of a call.
        """
        return None

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""


class _Socket(zmq.Socket[bytes]):
    """Closes without a word when nobody holds it: programs need not close what they drop.

    pyzmq's own warns first, and a warning that is made an error would leave the socket open, and
    whoever then ends its 0MQ context waiting.
    """

    def __del__(self) -> None:
        if not self.closed:
            self.close(linger=0)


class _Context(zmq.Context[zmq.Socket[bytes]]):
    """Ends without a word when nobody holds it, and lets nobody wait for that.

    Its end waits for its sockets, and where they are dropped together the collector may come to
    the sockets last.
    """

    def __del__(self) -> None:
        if not self.closed and not sys.is_finalizing():
            # Without the locks of `threading`: whoever the collector interrupts may hold them.
            _thread.start_new_thread(self.term, ())


class ZmqTransport(Transport):
    """0MQ: ROUTER sockets on the server's side, DEALER sockets on the client's."""

    def __init__(self, max_message_size: int = -1, on_socket: SocketHook | None = None) -> None:
        self._max_message_size = max_message_size
        self._on_socket = on_socket
        self._contexts: dict[int, zmq.Context[zmq.Socket[bytes]]] = {}  # by process
        self._turns: dict[int, threading.RLock] = {}  # by process
        self._lookups = Lookups()

    def listen(self, address: str, server: Server) -> RouterListener:
        address = addresses.checked(address, listening=True)
        socket = self._socket(zmq.ROUTER, "server", address)
        socket.setsockopt(zmq.MAXMSGSIZE, self._max_message_size)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        listener = RouterListener(socket, self._lookups)
        try:
            listener.also(address)
        except ConfigurationError:
            socket.context.destroy(linger=0)
            raise
        return listener

    def connect(self, address: str) -> DealerChannel:
        # A forked child has a lock of its own, too: its parent's may be held by another thread.
        turn = self._turns.setdefault(os.getpid(), threading.RLock())
        return DealerChannel(self.dealer(address), address, turn)

    def connect_async(self, address: str) -> AsyncChannel:
        from pycom_core.transport._aio import DealerChannel as AsyncDealerChannel

        address = addresses.checked(address)
        # The loop is not held up while a name is looked up.
        only_ipv6 = self._lookups.only_ipv6(address)
        known = only_ipv6.done()
        socket = self._dealer(address, known and only_ipv6.result())
        channel = AsyncDealerChannel(socket, address)
        if not known:
            only_ipv6.add_done_callback(channel.when_known)
        return channel

    def dealer(self, address: str) -> zmq.Socket[bytes]:
        """A DEALER socket that is connected to `address`. Raises `ConfigurationError`."""
        address = addresses.checked(address)
        return self._dealer(address, self._lookups.wait(address))

    def _dealer(self, address: str, ipv6: bool) -> zmq.Socket[bytes]:
        socket = self._socket(zmq.DEALER, "client", address)
        if ipv6:
            socket.setsockopt(zmq.IPV6, 1)
        # Nothing is queued for a peer that is not there: it would be run when nobody waits.
        socket.setsockopt(zmq.IMMEDIATE, 1)
        try:
            socket.connect(address)
        except zmq.ZMQError as error:
            socket.close(linger=0)
            raise ConfigurationError(f"Invalid address {address!r}: {_reason(error)}") from error
        return socket

    def obstacle(self, address: str) -> str | None:
        return reach.obstacle(address)

    def _socket(self, kind: int, side: str, address: str) -> zmq.Socket[bytes]:
        # A server has a context of its own: its end waits for the last replies, and for no others.
        context = _Context() if side == "server" else self._context_of_process()
        socket = context.socket(kind, _Socket)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
        # A peer that vanished without a word is noticed within a minute or so, not after hours.
        socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 30)
        socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 10)
        socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 3)
        if self._on_socket is not None:
            try:
                self._on_socket(socket, side, address)
            except BaseException:
                socket.close(linger=0)
                if side == "server":
                    context.term()
                raise
        return socket

    def _context_of_process(self) -> zmq.Context[zmq.Socket[bytes]]:
        # A 0MQ context does not survive a fork: the child leaves its parent's alone. Nor is a lock
        # free in the child that a thread of the parent holds, so each process has a key of its own,
        # and of what threads made at the same time the first is kept.
        pid = os.getpid()
        found = self._contexts.get(pid)
        if found is None:
            made = _Context()
            made.set(zmq.MAX_SOCKETS, 65_536)
            found = self._contexts.setdefault(pid, made)
            if found is not made:
                made.term()
        return found

    def close(self) -> None:
        found = self._contexts.pop(os.getpid(), None)
        if found is not None:
            found.destroy(linger=0)


def _reason(error: zmq.ZMQError) -> str:
    if error.errno == errno.EINVAL:
        return "0MQ's addresses look like tcp://127.0.0.1:2013 or ipc:///path/to/socket"
    if error.errno == errno.ENODEV:
        return "this host has no address or network interface of that name"
    return zmq.strerror(error.errno or 0)


class RouterListener(Listener):
    """A bound ROUTER. Its socket is used by one thread at a time, under a lock."""

    def __init__(self, socket: zmq.Socket[bytes], lookups: Lookups) -> None:
        self.socket = socket
        self.addresses = []
        self._lookups = lookups
        self._ipv6 = socket.getsockopt(zmq.IPV6)  # a hook may want it
        self._lock = threading.Lock()
        self._backlog: deque[Arrival] = deque()

    def also(self, address: str) -> None:
        address = addresses.checked(address, listening=True)
        self.socket.setsockopt(zmq.IPV6, self._ipv6 or self._lookups.wait(address))
        try:
            self.socket.bind(address)
        except zmq.ZMQError as error:
            raise ConfigurationError(f"Cannot listen on {address!r}: {_reason(error)}") from error
        bound = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.addresses.append(addresses.absolute(bound))

    def fileno(self) -> int:
        return self.socket.getsockopt(zmq.FD)  # type: ignore[return-value]

    def receive(self) -> Arrival | None:
        if self._backlog:
            return self._backlog.popleft()
        with self._lock:
            frames = _receive(self.socket)
        return None if frames is None else (time.monotonic(), frames)

    def stand_in(self) -> bool:
        found = False
        with self._lock:
            while not self.socket.closed and len(self._backlog) < HIGH_WATER_MARK:
                frames = _receive(self.socket)
                if frames is None:
                    break
                self._backlog.append((time.monotonic(), frames))
                found = True
        return found

    def send(self, frames: Sequence[Attachment]) -> bool:
        with self._lock:
            try:
                send_frames(self.socket, frames, NOBLOCK)
            except zmq.ZMQError as error:
                if error.errno in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                    return False
                raise
        return True

    def leave_to_parent(self) -> None:
        _close_sockets_of(self.addresses)
        for method in ("receive", "send", "stand_in"):
            setattr(self, method, _come_back)

    def close(self) -> None:
        with self._lock:
            # Replies leave from where they lie in memory, which is gone when the process ends.
            self.socket.close(linger=1000)
            self.socket.context.destroy(linger=1000)


def _close_sockets_of(addresses: Sequence[str]) -> None:
    """Close the descriptors of a server and of its connections; 0MQ does not say which they are."""
    ports = [int(one.rpartition(":")[2]) for one in addresses if one.startswith("tcp:")]
    paths = [one.removeprefix("ipc://") for one in addresses]
    for descriptor in os.listdir("/dev/fd"):
        try:
            found = sockets.socket(fileno=int(descriptor))
        except OSError:
            continue  # not a socket, or gone
        name = found.getsockname()
        is_ours = name[1] in ports if isinstance(name, tuple) else name in paths
        if is_ours and found.type == sockets.SOCK_STREAM:
            found.close()
        else:
            found.detach()


def _come_back(*_: object) -> NoReturn:
    """End a child that was forked in a method, and goes on with the work of its parent."""
    logger().error("A child that a method forked came back from it; it has to end by os._exit")
    os._exit(1)


# `zmq.Socket` wraps these for options that are not used here, at several times their cost; and
# pyzmq's constants are enums, whose `|` and `&` take longer than the calls themselves.
_send_frame: Callable[..., Any] = _Backend.send
_receive_frame: Callable[..., Any] = _Backend.recv
_get_option: Callable[..., Any] = _Backend.get
NOBLOCK, _SNDMORE = int(zmq.NOBLOCK), int(zmq.SNDMORE)
_EVENTS, POLLIN, POLLOUT = int(zmq.EVENTS), int(zmq.POLLIN), int(zmq.POLLOUT)

#: Bytes from which a frame is sent from where it lies; copying less is cheaper than not copying.
_WORTH_SHARING = 65_536


def send_frames(socket: zmq.Socket[bytes], frames: Sequence[Attachment], flags: int = 0) -> None:
    """Send one message. Raises `zmq.ZMQError`."""
    last = len(frames) - 1
    more = flags | _SNDMORE
    for index, frame in enumerate(frames):
        copy = len(frame) < _WORTH_SHARING
        _send_frame(socket, frame, more if index < last else flags, copy)


def receive_frames(socket: zmq.Socket[bytes], flags: int = 0) -> list[Attachment]:
    """Receive one message; large frames as views of where they lie. Raises `zmq.ZMQError`."""
    frame = _receive_frame(socket, flags, False)
    frames = [_content(frame)]
    while frame.more:
        frame = _receive_frame(socket, NOBLOCK, False)  # it is there already
        frames.append(_content(frame))
    return frames


def _content(frame: zmq.Frame) -> Attachment:
    return frame.bytes if len(frame) < _WORTH_SHARING else frame.buffer


def socket_events(socket: zmq.Socket[bytes]) -> int:
    """`zmq.POLLIN` and `zmq.POLLOUT`, as they are now."""
    events: int = _get_option(socket, _EVENTS)
    return events


def _receive(socket: zmq.Socket[bytes]) -> list[Attachment] | None:
    # Asking first is cheaper than the exception.
    if not socket_events(socket) & POLLIN:
        return None
    return receive_frames(socket, NOBLOCK)


class DealerChannel(Channel):
    """A connected DEALER that one call at a time has to itself.

    A channel whose call failed is closed, so what comes is the reply to the request before it.
    Channels with one `turn` receive in turns: each frame lets go of Python's lock, and threads
    that do so at once would wake each other up for every single one.

    It never waits within 0MQ, whose timeouts begin anew with every signal that the process gets.
    """

    def __init__(
        self, socket: zmq.Socket[bytes], address: str, turn: threading.RLock | None = None
    ) -> None:
        self.socket = socket
        self.address = address
        self._turn = turn or threading.RLock()
        self._news = select.poll()
        self._news.register(int(socket.getsockopt(zmq.FD)), select.POLLIN)
        self._readable = [(socket, POLLIN)]

    def exchange(self, payload: Sequence[Attachment], timeout: float) -> list[Attachment]:
        deadline = time.monotonic() + timeout / 1000
        try:
            self._send(b"", payload, deadline)
            # The descriptor tells of what comes from now on, once it was looked whether it is here.
            reply = self._take() if zmq_poll(self._readable, 0) else None
            while reply is None:
                self._wait(deadline)
                reply = self._take()
        except zmq.ZMQError as error:
            raise self._failure(error, timeout) from error
        return reply

    def _take(self) -> list[Attachment] | None:
        """What came after the delimiter; None: the descriptor told of something else."""
        socket = self.socket
        with self._turn:
            try:
                delimiter = _receive_frame(socket, NOBLOCK, True)
            except zmq.Again:
                return None
            try:
                if delimiter == b"":
                    # Small frames cost less without asking each of them whether more follow.
                    return [_receive_frame(socket, NOBLOCK, True), *receive_frames(socket, NOBLOCK)]
            except zmq.Again:
                pass
        raise ServiceNotAvailable(f"{self.address} answered with what is no reply")

    def _send(self, first: Attachment, others: Sequence[Attachment], deadline: float) -> None:
        while True:
            try:
                _send_frame(self.socket, first, NOBLOCK | _SNDMORE, True)
                break
            except zmq.Again:  # there is no connection
                self._until(POLLOUT, deadline)
        try:
            send_frames(self.socket, others, NOBLOCK)
        except zmq.Again:
            raise ServiceNotAvailable(
                f"{self.address}: the connection ended while the request was sent"
            ) from None

    def _until(self, event: int, deadline: float) -> None:
        """Wait until the socket can be read from, or written to."""
        while not zmq_poll([(self.socket, event)], 0):
            self._wait(deadline)

    def _wait(self, deadline: float) -> None:
        """Wait until something happens at the socket. Raises `zmq.Again` past the deadline."""
        left = (deadline - time.monotonic()) * 1000
        if left <= 0 or not self._news.poll(min(left, timeouts.LONGEST)):
            raise zmq.Again

    def is_alive(self) -> bool:
        # With IMMEDIATE only a socket that is connected can be written to.
        return bool(socket_events(self.socket) & POLLOUT)

    def _failure(self, error: zmq.ZMQError, timeout: float) -> ServiceNotAvailable:
        if error.errno == zmq.EAGAIN:
            state = "" if self.is_alive() else ": there is no connection"
            return CallTimeout(f"No answer from {self.address} within {timeout:.0f} ms{state}")
        return ServiceNotAvailable(f"{self.address}: {error.strerror}")

    def close(self) -> None:
        self.socket.close(linger=0)
