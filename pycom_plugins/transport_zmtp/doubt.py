"""The doubt whether a request has reached the server, after its call was given up.

The system sends what gets lost again, ever more seldom. It would be run late, and what follows it
would have to wait.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from weakref import WeakMethod

from pycom_plugins.transport_zmtp import places
from pycom_plugins.transport_zmtp.later import Later

#: s between two looks.
_LOOK = 0.2


class Doubt:
    """Looks at a connection until all that was sent has arrived, or gets lost."""

    __slots__ = ("__weakref__", "_later", "_lose", "_socket")

    def __init__(self, lose: Callable[[Exception], object]) -> None:
        """`lose` ends the connection; its owner is that of the doubt."""
        self._lose = WeakMethod(lose)
        self._later = Later(self._look)
        self._socket: socket.socket | None = None

    @property
    def is_open(self) -> bool:
        """True while it may be that something has not arrived."""
        return self._later.is_started

    def begin(self, connected: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        """Look soon, and again until it is settled."""
        self._socket = connected
        self._later.start(loop, _LOOK)

    def end(self) -> None:
        """Look no more: the connection has ended."""
        self._later.stop()
        self._socket = None

    def _look(self) -> None:
        assert self._socket is not None
        is_cut_off = places.is_cut_off(self._socket)
        if is_cut_off is None:
            return
        self.begin(self._socket, asyncio.get_running_loop())
        if is_cut_off and (lose := self._lose()) is not None:
            lose(TimeoutError("what is sent to it gets lost"))
