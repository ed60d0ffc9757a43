"""Times without a look at a socket: when what is read has come, and whether it may run yet.

A method held the loop meanwhile, or the process was stopped. What came has waited, so deadlines
have to count from when it came. What takes a request back, or ends the connection, may have come
after it: so all is read before anything runs, in shares if it is much. And after a long gap the
socket may have been full: then what takes the requests back still waits at the client, and they
wait a moment for it.
"""

from __future__ import annotations

#: s without a look after which it matters what has come meanwhile, and when.
_GAP = 0.01
#: s of such a gap, and messages that came in it, after which the socket may have been full. (Some
#: 280 small messages fill a Unix socket of Linux.)
_LONG_GAP, _MANY = 1.0, 100
#: s that requests wait then.
MOMENT = 0.05


class Gaps:
    """The gaps between looks at one socket.

    `since`: when the socket was empty, while it may not be: nothing in it came before that. None:
    what is read comes now. `taken`: messages since the last gap. Who reads keeps both up to date.
    `is_behind`: not all was read since the last gap. `is_in_doubt`: no request may run yet, as the
    next thing read may take it back.
    """

    __slots__ = ("_is_long", "_is_moment", "is_behind", "is_in_doubt", "looked", "since", "taken")

    def __init__(self, now: float) -> None:
        """Times are s of `time.monotonic()`."""
        self.looked = now
        self.since: float | None = None
        self.taken = 0
        self.is_behind = self.is_in_doubt = self._is_long = self._is_moment = False

    def is_gap(self, now: float) -> bool:
        """Tell whether a look now comes after a gap, or goes on with what came in one."""
        return self.is_behind or now - self.looked > _GAP

    def look(self, now: float) -> bool:
        """Note a look. Tells whether all has to be read, after a gap, up to `catch_up`."""
        last, self.looked = self.looked, now
        gap = now - last
        if gap <= _GAP:
            return self.is_behind
        if self.since is None:
            self.since = last
        if not self.is_behind:
            self.taken = 0
        self.is_behind = self.is_in_doubt = True
        if gap > _LONG_GAP:
            self._is_long = True
        return True

    def leave(self) -> None:
        """Note that the socket is not read any more for now, and may not be empty."""
        if self.since is None:
            self.since = self.looked

    def catch_up(self, waiting: bool) -> bool:
        """Note that all is read which came in a gap; `waiting`: requests are there that may run.

        Tells whether the doubt goes on for a `MOMENT` that begins now, and ends with `trust`.
        """
        is_long, self._is_long, self.is_behind = self._is_long, False, False
        if self._is_moment:
            return False
        self.is_in_doubt = self._is_moment = is_long and waiting and self.taken > _MANY
        return self._is_moment

    def trust(self) -> None:
        """End the moment: what would have taken requests back has had its time."""
        self._is_moment = False
        self.is_in_doubt = self.is_behind
