"""A thread that receives messages while a method blocks the event loop.

Methods run on the loop's own thread, which costs no switch of threads. While a slow method runs,
the loop would receive nothing. Later nobody could tell how long a request had waited, or whether
its caller is still there. Replies that are ready would wait, too. So the stand-in receives and
sends in place of the loop, and the loop answers later.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable

from pycom_core import threads

#: s for which a method may block the loop before the stand-in acts; the precision of arrivals.
PATIENCE = 0.02
#: s without calls, after which the stand-in sleeps until it is woken.
IDLE = 1.0


class StandIn:
    """A watch on one listener, which reports the start and the end of its work.

    `receive` is a method of the listener, which the thread does not keep alive, nor outlives.
    """

    def __init__(self, receive: Callable[[], object]) -> None:
        self._receive = weakref.WeakMethod(receive, self._dropped)
        self._since = 0.0
        self._asleep = False
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._watch, name="pycom-stand-in", daemon=True)

    def start(self) -> None:
        threads.start(self._thread)

    def busy(self) -> None:
        """Note that the loop works on received messages."""
        if not self._since:
            self._since = time.monotonic()
        if self._asleep:
            self._asleep = False
            self._wake.set()

    def free(self) -> None:
        """Note that the loop is done with all waiting messages."""
        self._since = 0.0

    def stop(self) -> None:
        """End the thread."""
        self._stopped = True
        if self._thread is threading.current_thread():
            return  # the collector came to a server that was dropped
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _dropped(self, _: object) -> None:
        self._stopped = True
        self._wake.set()

    def _watch(self) -> None:
        last_busy = time.monotonic()
        while not self._stopped:
            if self._wake.wait(PATIENCE):
                self._wake.clear()
                continue
            since, now = self._since, time.monotonic()
            if since:
                last_busy = now
                if now - since > PATIENCE:
                    self._stand_in()
            elif now - last_busy > IDLE:
                self._asleep = True
                if not self._since:
                    self._wake.wait()
                last_busy = time.monotonic()

    def _stand_in(self) -> None:
        receive = self._receive()
        if receive is not None:
            receive()
