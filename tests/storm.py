"""Signals that come one after the other, while something waits."""

from __future__ import annotations

import signal
import threading

#: s; the longest that one lasts, so that what waits for its end comes to an end.
LONGEST = 10.0


class Storm:
    """Sends SIGUSR1 every few ms to the thread that enters it. In the main thread.

    `others` are threads that get it too, once they have begun; they must not end before.
    """

    def __init__(self, *others: threading.Thread) -> None:
        self._threads = [threading.main_thread(), *others]
        self._over = threading.Event()
        self._sender = threading.Thread(target=self._send)
        self.count = 0  #: of signals that were handled

    def _send(self) -> None:
        pauses = 0.002
        for _ in range(round(LONGEST / pauses)):
            if self._over.wait(pauses):
                return
            for thread in self._threads:
                if thread.ident is not None:
                    signal.pthread_kill(thread.ident, signal.SIGUSR1)
        self._over.set()

    def _handle(self, number: int, frame: object) -> None:
        self.count += 1

    @property
    def is_over(self) -> bool:
        """True if it lasted as long as it may."""
        return self._over.is_set()

    def __enter__(self) -> Storm:
        self._before = signal.signal(signal.SIGUSR1, self._handle)
        self._sender.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._sender.join()
        # What is still on its way is dropped so, and would end the process otherwise.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, self._before)
