"""Buffers on their way into a socket that does not block."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Sequence
from itertools import islice

from pycom_core.messages import Attachment

#: Buffers that one system call takes (IOV_MAX of Linux).
_MOST = 1024


class Outbox:
    """Bytes to be sent, in order. `size` is its bytes; `sent` counts those that have left."""

    __slots__ = ("_buffers", "_socket", "sent", "size")

    def __init__(self, to: socket.socket) -> None:
        self._socket = to
        self._buffers: deque[Attachment] = deque()
        self.size = self.sent = 0

    def put(self, buffers: Sequence[Attachment]) -> None:
        """Add buffers, which must not change until they are sent."""
        self._buffers += buffers
        for buffer in buffers:
            self.size += len(buffer)

    def send(self) -> bool:
        """Send what the socket takes, and tell whether that was all. Raises OSError."""
        buffers = self._buffers
        try:
            while buffers:
                if len(buffers) == 1:
                    sent = self._socket.send(buffers[0])
                else:
                    sent = self._socket.sendmsg(islice(buffers, _MOST))
                self.sent += sent
                self.size -= sent
                if not self.size:
                    buffers.clear()
                else:
                    self._drop(sent)
        except BlockingIOError:
            return False
        return True

    def send_at_once(self, buffers: Sequence[Attachment]) -> int:
        """Send of buffers what the socket takes, and keep nothing. Returns the number of bytes.

        To be called while nothing waits. Raises OSError.
        """
        try:
            one = len(buffers) == 1
            sent = self._socket.send(buffers[0]) if one else self._socket.sendmsg(buffers)
        except BlockingIOError:
            return 0
        self.sent += sent
        return sent

    def _drop(self, sent: int) -> None:
        buffers = self._buffers
        while sent >= len(buffers[0]):
            sent -= len(buffers.popleft())
        buffers[0] = memoryview(buffers[0])[sent:]
