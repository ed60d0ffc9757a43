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

    def is_full(self, count: int, times: int) -> bool:
        """Tell whether no more should be received now, after `count` bytes more.

        It takes so many `times` the requests that it usually takes.
        """
        self._size += count
        if not self:
            self._size = 0
            return False
        return len(self) >= self._limits.inbox * times or self._size >= self._limits.queued

    @property
    def is_at_limit(self) -> bool:
        """True while as many of them run as may."""
        return len(self.running) >= self.most

    def begin(self) -> Delivery:
        """Take the next request, to run it."""
        delivery = self.popleft()
        self.running.add(delivery)
        return delivery

    def take_back(self, correlations: set[bytes]) -> None:
        """Forget requests that wait, and give up those that run."""
        kept = [one for one in self if bytes(one.frames[1]) not in correlations]
        self.clear()
        self += kept
        for delivery in [*self.running]:
            if bytes(delivery.frames[1]) in correlations:
                self.running.discard(delivery)
                delivery.cancel()

    def give_up(self, most: int) -> bool:
        """Give up requests that run, at most so many. Tells whether others are left."""
        while self.running and most:
            self.running.pop().cancel()
            most -= 1
        return bool(self.running)
