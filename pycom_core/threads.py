"""Threads of PyCOM's own, in a process whose signals are the application's."""

from __future__ import annotations

import signal
import threading

#: A thread that crashes gets these itself, for faulthandler to see.
_CRASHES = {signal.SIGSEGV, signal.SIGFPE, signal.SIGABRT, signal.SIGBUS, signal.SIGILL}


def start(thread: threading.Thread) -> None:
    """Start a thread that receives no signals, and so takes none from the threads that wait for it.

    Not for threads that run foreign code: processes that they start would ignore signals as well.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        # Within, as the handler of a signal may raise here.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - _CRASHES)
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
