"""The requests of one client of a server, from their arrival to their end."""

from __future__ import annotations

from collections import deque

from pycom_core.messages import Delivery
from pycom_plugins.transport_zmtp.limits import Limits


class Inbox(deque[Delivery]):
    """The requests that wait, in order. `running`: those that were begun and are not answered.

    One that was taken back while others wait before it may stay until its turn comes; the first is
    always one to run.
    """

    __slots__ = ("_begun", "_half", "_limits", "_marks", "_size", "most", "running")

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits
        self.most = limits.in_flight  #: that run
        self._size = 0  # bytes that came since they were counted
        self._half = 0  # requests at which there is room again
        # Ids that were taken back, and the number of the next request then. The first that waits
        # has the number `_begun`, which is counted while there are marks.
        self._marks: dict[bytes, int] = {}
        self._begun = 0
        self.running: set[Delivery] = set()

    # Room.

    def is_full(self, count: int) -> bool:
        """Tell whether no more should be received now, after `count` bytes more."""
        self._size += count
        if not self:
            self._size = 0
            return False
        limits = self._limits
        if self._size >= limits.queued:
            self._count()
        if len(self) < limits.inbox and self._size < limits.queued:
            return False
        self._half = min(len(self), limits.inbox) // 2
        return True

    def has_room(self) -> bool:
        """Tell whether to receive again, as one that was full is half empty."""
        if len(self) > self._half:
            return False
        self._count()
        self._half = len(self) // 2
        return self._size <= self._limits.queued // 2

    def _count(self) -> None:
        self._size = sum(len(frame) for delivery in self for frame in delivery.frames)

    # What runs.

    @property
    def is_at_limit(self) -> bool:
        """True while as many of them run as may."""
        return len(self.running) >= self.most

    def begin(self) -> Delivery:
        """Take the next request, to run it."""
        delivery = self.popleft()
        if self._marks:
            self._begun += 1
            self._pass_over()
        self.running.add(delivery)
        return delivery

    # What is given up.

    def take_back(self, correlation: bytes) -> None:
        """Forget those that wait now under an id."""
        if not self:
            return
        self._marks[correlation] = self._begun + len(self)
        # To go through all for each would take a time that grows with the square of their number.
        if 2 * len(self._marks) >= len(self):
            self._sweep()
        else:
            self._pass_over()

    def _pass_over(self) -> None:
        while self and self._is_taken_back(self[0], self._begun):
            self.popleft().reply = None  # which holds it
            self._begun += 1
        if not self:
            self._marks.clear()

    def _sweep(self) -> None:
        kept = []
        for number, delivery in enumerate(self, self._begun):
            if self._is_taken_back(delivery, number):
                delivery.reply = None
            else:
                kept.append(delivery)
        self.clear()
        self += kept
        self._marks.clear()

    def _is_taken_back(self, delivery: Delivery, number: int) -> bool:
        return number < self._marks.get(bytes(delivery.frames[1]), 0)

    def drop(self) -> None:
        """Forget all that wait."""
        while self:
            self.popleft().reply = None
        self._marks.clear()

    def stop(self, correlations: set[bytes]) -> set[Delivery]:
        """Give up those that run under some ids, and return them. They keep their places."""
        found = {
            one
            for one in self.running
            if not one.is_cancelled and bytes(one.frames[1]) in correlations
        }
        for delivery in found:
            delivery.cancel()
        return found

    def give_up(self, most: int) -> bool:
        """Give up requests that run, at most so many. Tells whether others are left."""
        while self.running and most:
            delivery = self.running.pop()
            if not delivery.is_cancelled:
                delivery.cancel()
            most -= 1
        return bool(self.running)
