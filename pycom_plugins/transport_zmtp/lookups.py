"""Look-ups of names, which may take longer than the calls that need them."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future

from pycom_core import threads
from pycom_plugins.transport_zmtp import places

Answer = Future[Sequence[places.Place]]


class Lookups:
    """Look-ups in threads of their own, since the system's know no timeout.

    Who asks while one is under way gets its answer. Nothing is kept afterwards.
    """

    def __init__(self) -> None:
        self._running: dict[tuple[int, str], Answer] = {}  # by process and address

    def places(self, address: str) -> Answer:
        """The places of an address, soon: at once if it has no name. It may fail with OSError."""
        answer: Answer = Future()
        answer.set_running_or_notify_cancel()  # who waits for it cannot cancel it for others
        found = places.known(address)
        if found is not None:
            answer.set_result(found)
            return answer
        key = (os.getpid(), address)
        running = self._running.setdefault(key, answer)
        if running is answer:
            look = threading.Thread(
                target=self._look_up, args=(key, answer), name="pycom-look-up", daemon=True
            )
            threads.start(look)
        return running

    def _look_up(self, key: tuple[int, str], answer: Answer) -> None:
        try:
            found = places.look_up(key[1])
        except Exception as error:  # whoever waits for the answer raises it
            del self._running[key]
            answer.set_exception(error)
        else:
            del self._running[key]
            answer.set_result(found)
