"""The end of a connection to a client that has to read why it ends.

To close it at once, with bytes of the client unread, would reset it, and the words could be lost
(RFC 1122, 4.2.2.13). So the client may close it first, and has a moment for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

#: s for a client to read.
_LAST_WORDS = 1.0


def linger(
    loop: asyncio.AbstractEventLoop,
    connected: socket.socket,
    room: memoryview,
    close: Callable[[], object],
) -> asyncio.TimerHandle:
    """Send nothing more, pass over what comes, and close when the client does, or time is up.

    `close` has to take the socket out of the loop. Returns the timer, to be cancelled with it.
    """
    loop.remove_writer(connected)
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_WR)
    loop.add_reader(connected, _pass_over, connected, room, close)
    return loop.call_later(_LAST_WORDS, close)


def _pass_over(connected: socket.socket, room: memoryview, close: Callable[[], object]) -> None:
    try:
        if connected.recv_into(room):
            return
    except BlockingIOError:
        return
    except OSError:
        pass
    close()
