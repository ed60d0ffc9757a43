"""A DEALER for one call at a time: the blocking side of clients."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Sequence

import zmq
from zmq.backend import zmq_poll

from pycom_core import timeouts
from pycom_core.errors import CallTimeout, ServiceNotAvailable
from pycom_core.messages import Attachment
from pycom_core.transport import Channel
from pycom_plugins.transport_zmq.frames import (
    NOBLOCK,
    POLLIN,
    POLLOUT,
    SNDMORE,
    receive_frame,
    receive_frames,
    send_frame,
    send_frames,
    socket_events,
)


class DealerChannel(Channel):
    """A connected DEALER that one call at a time has to itself.

    A channel whose call failed is closed, so a message is always the reply to the last request.
    Channels with a common `turn` receive in turns: each frame releases Python's lock, and threads
    that did so at the same time would wake each other up for every frame.

    It never waits within 0MQ, whose timeouts restart with every signal that the process gets.
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
        is_sent = False
        try:
            self.send(b"", payload, deadline)
            is_sent = True
            # The descriptor tells of news only after a look at the current state.
            reply = self._take() if zmq_poll(self._readable, 0) else None
            while reply is None:
                self._wait(deadline)
                reply = self._take()
        except zmq.ZMQError as error:
            raise self.failure(error, timeout, is_sent) from error
        return reply

    def _take(self) -> list[Attachment] | None:
        """Receive the frames after the delimiter; None: the descriptor told of something else."""
        socket = self.socket
        with self._turn:
            try:
                delimiter = receive_frame(socket, NOBLOCK, True)
            except zmq.Again:
                return None
            try:
                if delimiter == b"":
                    # Small frames cost less without asking each of them whether more follow.
                    return [receive_frame(socket, NOBLOCK, True), *receive_frames(socket, NOBLOCK)]
            except zmq.Again:
                pass
        raise ServiceNotAvailable(f"{self.address} answered with what is no reply")

    def send(self, first: Attachment, others: Sequence[Attachment], deadline: float) -> None:
        while True:
            try:
                send_frame(self.socket, first, NOBLOCK | SNDMORE, True)
                break
            except zmq.Again:  # there is no connection
                self.until(POLLOUT, deadline)
        try:
            send_frames(self.socket, others, NOBLOCK)
        except zmq.Again:
            raise ServiceNotAvailable(
                f"{self.address}: the connection ended while the request was sent", sent=False
            ) from None

    def until(self, event: int, deadline: float) -> None:
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

    def failure(self, error: zmq.ZMQError, timeout: float, is_sent: bool) -> ServiceNotAvailable:
        if error.errno == zmq.EAGAIN:
            state = "" if self.is_alive() else ": there is no connection"
            problem = f"No answer from {self.address} within {timeout:.0f} ms{state}"
            return CallTimeout(problem, sent=is_sent)
        return ServiceNotAvailable(f"{self.address}: {error.strerror}", sent=is_sent)

    def close(self) -> None:
        self.socket.close(linger=0)
