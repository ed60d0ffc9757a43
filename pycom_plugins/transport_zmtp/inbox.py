"""The requests of one client of a server, from their arrival to their end."""

from __future__ import annotations

from collections import deque

from pycom_core.messages import Delivery
from pycom_plugins.transport_zmtp.limits import Limits


class Inbox(deque[Delivery]):
    """The requests that wait, in order. `running`: those that were begun and are not answered."""

    __slots__ = ("_limits", "_size", "most", "running")

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits
        self.most = limits.in_flight  #: that run
        self._size = 0  # bytes that came since nothing waited
        self.running: set[Delivery] = set()

    def is_full(self, count: int) -> bool:
        """Tell whether no more should be received now, after `count` bytes more."""
        self._size += count
        if not self:
            self._size = 0
            return False
        return len(self) >= self._limits.inbox or self._size >= self._limits.queued

    @property
    def is_at_limit(self) -> bool:
        """True while as many of them run as may."""
        return len(self.running) >= self.most

    def begin(self) -> Delivery:
        """Take the next request, to run it."""
        delivery = self.popleft()
        self.running.add(delivery)
        return delivery

    def take_back(self, correlation: bytes) -> None:
        """Forget a request that waits, and give up one that runs."""
        for delivery in [*self]:
            if delivery.frames[1] == correlation:
                self.remove(delivery)
        for delivery in [*self.running]:
            if delivery.frames[1] == correlation:
                self.running.discard(delivery)
                delivery.cancel()

    def give_up(self) -> None:
        """Forget all that wait, and give up those that run: nobody waits for them any more."""
        self.clear()
        while self.running:
            self.running.pop().cancel()
