"""What the 0MQ sockets of this transport have in common."""

from __future__ import annotations

import _thread
import errno
import sys

import zmq

#: Replies that may wait for one slow client, and requests from one busy client.
HIGH_WATER_MARK = 100_000


class QuietSocket(zmq.Socket[bytes]):
    """Closes without a word when nobody holds it: programs need not close what they drop.

    pyzmq's own warns first, and a warning that is made an error would leave the socket open, and
    whoever then ends its 0MQ context waiting.
    """

    def __del__(self) -> None:
        if not self.closed:
            self.close(linger=0)


class QuietContext(zmq.Context[zmq.Socket[bytes]]):
    """Ends without a word when nobody holds it, and lets nobody wait for that.

    Its end waits for its sockets, and where they are dropped together the collector may come to
    the sockets last.
    """

    def __del__(self) -> None:
        if not self.closed and not sys.is_finalizing():
            # Without the locks of `threading`: whoever the collector interrupts may hold them.
            _thread.start_new_thread(self.term, ())


def reason(error: zmq.ZMQError) -> str:
    """Why an address was refused."""
    if error.errno == errno.EINVAL:
        return "0MQ's addresses look like tcp://127.0.0.1:2013 or ipc:///path/to/socket"
    if error.errno == errno.ENODEV:
        return "this host has no address or network interface of that name"
    return zmq.strerror(error.errno or 0)
