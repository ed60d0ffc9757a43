"""Room for the bodies of large frames, to receive them in place."""

from __future__ import annotations

import mmap
from collections import deque

#: Bodies up to this many bytes are received into room that is kept.
_KEPT = 2 * 1024 * 1024
#: Rooms that are kept: who holds one body may well receive the next.
_ROOMS = 2
#: How much larger than a body its room may be: for as long as the body is held, all of it is.
_LARGER = 4


class Storage:
    """Room for one body after the other. It is used by one thread at a time.

    The system makes memory anew page by page while it is filled, which takes ten times as long as
    to fill it. So rooms are used again when nobody has a view of what was in them. What is not
    filled costs nothing, however large a body was announced.
    """

    __slots__ = ("_rooms",)

    def __init__(self) -> None:
        self._rooms: deque[mmap.mmap] = deque(maxlen=_ROOMS)

    def take(self, size: int) -> memoryview:
        """Return room for a body. Raises `OSError` if the system has none."""
        for room in self._rooms:
            if size <= len(room) <= _LARGER * size and not _is_lent(room):
                return memoryview(room)[:size]
        made = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if size <= _KEPT:
            self._rooms.append(made)
        return memoryview(made)


def _is_lent(room: mmap.mmap) -> bool:
    """Tell whether anybody has a view of it: then it cannot be resized, not even to its size."""
    try:
        room.resize(len(room))
    except (BufferError, SystemError):  # the latter where a system cannot resize at all
        return True
    return False
