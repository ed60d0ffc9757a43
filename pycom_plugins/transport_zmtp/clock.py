"""The time when bytes arrived, where they had to wait for this process.

Linux notes it with each packet (SO_TIMESTAMPNS of socket(7)). So the deadlines of requests hold
that waited while a method held the event loop, or while the process was stopped. Of bytes that
came in several packets the time of the last one is known. Unix sockets have no such times.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import time

#: The option, and the type of the message that it brings (asm-generic/socket.h).
_TIMESTAMPS = 35
_TIME = struct.Struct("@ll")  # struct timespec
_SPACE = socket.CMSG_SPACE(_TIME.size)
#: s by which clocks may differ that are read one after the other, and s that one may gain in a s.
_APART, _ADJUSTED = 0.01, 0.001
_IS_LINUX = sys.platform == "linux"


def watch(listening: socket.socket) -> None:
    """Let the system note when bytes arrive on the connections that are made to a socket.

    Linux begins with it a moment after the first socket wants it.
    """
    if _IS_LINUX and listening.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):
            listening.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)


class Clock:
    """A receiver that knows when bytes arrived, by the clock that people set.

    Where that was set meanwhile, bytes arrived when they are received.
    """

    __slots__ = ("_ahead", "_read")

    def __init__(self) -> None:
        self._read = time.monotonic()
        self._ahead = time.time() - self._read

    def receive(
        self, connected: socket.socket, room: memoryview, since: float
    ) -> tuple[int, float]:
        """Receive into `room`. Returns the number of bytes, and when they arrived.

        That is at `since` or later. Times are s of `time.monotonic()`. Raises OSError.
        """
        count, notes, _, _ = connected.recvmsg_into([room], _SPACE)
        now, wall = time.monotonic(), time.time()
        is_set = self._was_set(now, wall)
        for level, kind, data in notes:
            if (level, kind) == (socket.SOL_SOCKET, _TIMESTAMPS) and len(data) >= _TIME.size:
                seconds, nanoseconds = _TIME.unpack_from(data)
                waited = wall - (seconds + nanoseconds / 1e9)
                return count, now if is_set else min(now, max(since, now - waited))
        return count, now

    def _was_set(self, now: float, wall: float) -> bool:
        """Tell whether the two clocks went apart by more than adjustments do (adjtimex(2))."""
        before, self._ahead = self._ahead, wall - now
        elapsed, self._read = now - self._read, now
        return abs(self._ahead - before) > _APART + elapsed * _ADJUSTED
