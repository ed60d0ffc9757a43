"""Channels kept for the next call. A call borrows one, and no two calls share one."""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Callable

from pycom_core.transport._base import Channel

#: Channels kept for one address; more may be borrowed at a time.
MAX_IDLE = 64


class Pool:
    """Idle channels by address, for any number of threads, and for a forked child its own."""

    def __init__(self, connect: Callable[[str], Channel]) -> None:
        self._connect = connect
        # Appending to and popping from a deque is atomic, so the pool needs no lock.
        self._idle: defaultdict[str, deque[Channel]] = defaultdict(deque)
        self._pid = os.getpid()

    def borrow(self, address: str) -> Channel:
        """A channel to `address` for one call. Raises `ConfigurationError`."""
        if self._pid != os.getpid():
            # The sockets belong to the parent's 0MQ context: they are left alone, not closed.
            self._idle, self._pid = defaultdict(deque), os.getpid()
        try:
            return self._idle[address].pop()
        except IndexError:
            return self._connect(address)

    def give_back(self, address: str, channel: Channel) -> None:
        """Keep a channel whose call is over."""
        idle = self._idle[address]
        if len(idle) < MAX_IDLE:
            idle.append(channel)
        else:
            channel.close()

    def is_alive(self, address: str) -> bool:
        """Tell whether there is an idle channel with a live connection."""
        idle = self._idle.get(address)
        if not idle or self._pid != os.getpid():
            return False
        try:
            channel = idle.pop()
        except IndexError:
            return False
        alive = channel.is_alive()
        idle.append(channel)
        return alive

    def forget(self, address: str) -> None:
        """Close the idle channels of one address."""
        for channel in self._idle.pop(address, ()):
            channel.close()

    def close(self) -> None:
        """Close all idle channels."""
        for address in list(self._idle):
            self.forget(address)
