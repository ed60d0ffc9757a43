"""Channels over sockets that users bring."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

import zmq

from pycom_core.messages import Attachment
from pycom_core.transport import Channel
from pycom_plugins.transport_zmq.channel import DealerChannel
from pycom_plugins.transport_zmq.frames import NOBLOCK, POLLIN, receive_frames


class AdoptedDealer(DealerChannel):
    """A DEALER that stays usable after a timeout: correlation ids identify late replies."""

    def __init__(self, socket: zmq.Socket[bytes], address: str) -> None:
        super().__init__(socket, address)
        self._serial = time.monotonic_ns()  # replies to former calls may still come

    def exchange(self, payload: Sequence[Attachment], timeout: float) -> list[Attachment]:
        deadline = time.monotonic() + timeout / 1000
        is_sent = False
        try:
            self._begin(payload, deadline)
            is_sent = True
            return self._end(deadline)
        except zmq.ZMQError as error:
            raise self.failure(error, timeout, is_sent) from error

    def _begin(self, payload: Sequence[Attachment], deadline: float) -> None:
        self._serial += 1
        self.send(b"%x" % self._serial, [b"", *payload], deadline)

    def _end(self, deadline: float) -> list[Attachment]:
        while True:
            reply = self._receive(deadline)
            if reply[0] == b"%x" % self._serial and len(reply) >= 4:
                return reply[2:]
            # Not the reply to this call: wait for the right one in the time that is left.

    def _receive(self, deadline: float) -> list[Attachment]:
        while True:
            self.until(POLLIN, deadline)
            with contextlib.suppress(zmq.Again):  # a REQ drops what is late itself
                return receive_frames(self.socket, NOBLOCK)

    def is_alive(self) -> bool:
        return True  # for all that can be told of a socket whose options are its owner's

    def close(self) -> None:
        """Do nothing, as the socket belongs to its owner."""


class AdoptedReq(AdoptedDealer):
    """A REQ that stays usable after a timeout."""

    def __init__(self, socket: zmq.Socket[bytes], address: str) -> None:
        super().__init__(socket, address)
        # After a timeout the next request may go out all the same, and a late reply is dropped.
        socket.setsockopt(zmq.REQ_RELAXED, 1)
        socket.setsockopt(zmq.REQ_CORRELATE, 1)

    def _begin(self, payload: Sequence[Attachment], deadline: float) -> None:
        self.send(payload[0], payload[1:], deadline)

    def _end(self, deadline: float) -> list[Attachment]:
        return self._receive(deadline)


_KINDS = {zmq.SocketType.DEALER: AdoptedDealer, zmq.SocketType.REQ: AdoptedReq}


def adopted(socket: zmq.Socket[bytes]) -> Channel:
    """Return a channel over a socket. Raises TypeError if it is neither DEALER nor REQ."""
    kind = zmq.SocketType(int(socket.getsockopt(zmq.TYPE)))
    if kind not in _KINDS:
        raise TypeError(f"A client needs an address, or a DEALER or REQ socket, not {kind.name}")
    address = bytes(socket.getsockopt(zmq.LAST_ENDPOINT)).decode(errors="replace")
    return _KINDS[kind](socket, address or "the socket")
