"""Common parts of the 0MQ sockets of this transport."""

from __future__ import annotations

import _thread
import errno
import sys

import zmq

#: Replies that may wait for one slow client, and requests from one busy client.
HIGH_WATER_MARK = 100_000


class QuietSocket(zmq.Socket[bytes]):
    """A socket that closes silently when it is dropped, so that programs need not close it.

    pyzmq's own socket warns first. If warnings are errors, that would leave the socket open, and
    the end of its 0MQ context would wait for it.
    """

    def __del__(self) -> None:
        if not self.closed:
            self.close(linger=0)


class QuietContext(zmq.Context[zmq.Socket[bytes]]):
    """A context that ends silently when it is dropped, without making anybody wait.

    Its end waits for its sockets. If they are dropped together, the garbage collector may reach
    the sockets last.
    """

    def __del__(self) -> None:
        if not self.closed and not sys.is_finalizing():
            # Without the locks of `threading`: whoever the collector interrupts may hold them.
            _thread.start_new_thread(self.term, ())


def reason(error: zmq.ZMQError) -> str:
    """Say why an address was refused."""
    if error.errno == errno.EINVAL:
        return "0MQ's addresses look like tcp://127.0.0.1:2013 or ipc:///path/to/socket"
    if error.errno == errno.ENODEV:
        return "this host has no address or network interface of that name"
    return zmq.strerror(error.errno or 0)
