"""Threads that leave the signals to others."""

from __future__ import annotations

import signal
import threading

import pytest

from pycom_core import threads


def blocked() -> set[int]:
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def test_signals_are_blocked_in_the_thread_alone() -> None:
    seen: list[set[int]] = []
    before = blocked()
    thread = threading.Thread(target=lambda: seen.append(blocked()))
    threads.start(thread)
    thread.join()
    assert {signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD} <= seen[0]
    assert signal.SIGSEGV not in seen[0]
    assert blocked() == before


def test_nothing_is_left_blocked_by_a_thread_that_cannot_start() -> None:
    before = blocked()
    thread = threading.Thread(target=blocked)
    thread.start()
    thread.join()
    with pytest.raises(RuntimeError):
        threads.start(thread)
    assert blocked() == before
