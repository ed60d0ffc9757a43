"""The signals that end a service: SIGTERM, SIGINT (Ctrl-C) and SIGHUP.

Python writes the number of each signal to its wake-up descriptor at once, whatever the main thread
is doing. A thread reads the number there. It ends the service if the signal asks for that, and
passes the number on to the former owner of the descriptor: the event loop. So the handlers of the
application run as they would without a service, and none of them can prevent the end.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import inspect
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from pycom_core import threads
from pycom_core.loops._failures import handle_on_loop

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: s in which further signals count as the same request: timeout(1) and supervisors send theirs to
#: the process and to its group, and programs that get Ctrl-C may also pass it on.
SAME_REQUEST = 1.0

_CLOSE = 0  # no signal has this number
_DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)


class StopSignals:
    """A watch for the signals that end a service, from `open` to `close`.

    `stop` is called at the first signal, with its name, in a thread. `leave`, which does not
    return, is called at a later signal, with its name. It is called with None if the process still
    runs `bound` s after the first, unless `allow` gives it longer.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        stop: Callable[[str], object],
        leave: Callable[[str | None], object],
        bound: float,
    ) -> None:
        self._loop, self._stop, self._leave, self._bound = loop, stop, leave, bound
        self._ours, self._theirs = socket.socketpair()
        self._theirs.setblocking(False)
        self._allowed = 0.0  # s, monotonic; until then it may go on in any case
        self._descriptor = -1  # the wake-up descriptor of before
        self._handlers: dict[int, Any] = {}  # handlers of before, where there are ours
        self._next: int | None = None  # a duplicate of the descriptor that comes after ours
        self._lock = threading.RLock()  # for `_next`; taken in handlers, too
        self._thread = threading.Thread(target=self._watch, name="pycom-signals", daemon=True)

    def open(self, until_exit: bool = False) -> None:
        """Watch from now on, or `until_exit`. In the main thread, before the loop runs."""
        global _current
        _current = self
        if until_exit:
            atexit.register(ignore_signals)
        _register_at_fork()
        for number in (signal.SIGTERM, signal.SIGINT):
            # Shells have it ignored in the background. nohup does so with SIGHUP, and means it.
            if signal.getsignal(number) == signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._handle)
        self._descriptor = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(self._descriptor)
        self._take()
        self._keep()
        self._loop.call_soon(self._take)  # uvloop puts one of its own there when it begins to run
        threads.start(self._thread)

    def allow(self, seconds: float) -> None:
        """Let the process go on for that long, even if its time would be over before."""
        self._allowed = time.monotonic() + seconds

    def close(self) -> None:
        """Stop the watch. In the main thread, after the loop has ended."""
        global _current
        if _current is self:
            _current = None
            self._restore(self._descriptor)
            self._theirs.send(bytes([_CLOSE]))
            self._thread.join()
            self._close_descriptors()

    def leave_to_parent(self) -> None:
        """Drop the watch in a forked child: its descriptors belong to the parent."""
        self._restore(-1)
        self._close_descriptors()

    def _restore(self, descriptor: int) -> None:
        signal.set_wakeup_fd(-1)
        with contextlib.suppress(OSError, ValueError):  # its owner has closed it
            signal.set_wakeup_fd(descriptor)
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, handler)

    def _close_descriptors(self) -> None:
        self._ours.close()
        self._theirs.close()
        if self._next is not None:
            os.close(self._next)

    # In the main thread.

    def _take(self) -> bool:
        """Take over the signals that stop and their descriptor; False if it is ours already."""
        for number in STOPPING:
            if signal.getsignal(number) in _DEFAULTS:
                self._handlers[number] = signal.signal(number, self._handle)
        before = signal.set_wakeup_fd(self._theirs.fileno(), warn_on_full_buffer=False)
        if before == self._theirs.fileno():
            return False
        with self._lock:
            if self._next is not None:
                os.close(self._next)
            self._next = None
            with contextlib.suppress(OSError):  # there was none, or it has been closed
                # Its owner may close it, and then the number may come to mean anything.
                self._next = os.dup(before)
        return True

    def _keep(self) -> None:
        # asyncio takes the descriptor each time it is given a handler, and gives it up with the
        # last; it also leaves behind the default, which would end the process at once.
        for name in ("add_signal_handler", "remove_signal_handler"):
            setattr(self._loop, name, self._then_take(getattr(self._loop, name)))

    def _then_take(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def wrapper(sig: int, *callback: Any, **named: Any) -> Any:
            if callback and not inspect.iscoroutinefunction(callback[0]):  # asyncio refuses these
                callback = (handle_on_loop, *callback)
            try:
                return method(sig, *callback, **named)
            finally:
                if _current is self and threading.current_thread() is threading.main_thread():
                    self._take()

        return wrapper

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        # The thread knows of it already, unless somebody else has taken the descriptor.
        if self._take():
            with contextlib.suppress(BlockingIOError):
                self._theirs.send(bytes([number]))

    # In the thread.

    def _watch(self) -> None:
        first: float | None = None  # when the first signal came, in s
        while True:
            numbers = self._receive(None if first is None else self._left(first))
            if _CLOSE in numbers:
                return
            if first is not None and not numbers and self._left(first) <= 0:
                self._leave(None)
                return
            self._pass_on(numbers)
            for number in filter(STOPPING.__contains__, numbers):
                name = signal.Signals(number).name
                if first is None:
                    first = time.monotonic()
                    self._begin(name)
                elif time.monotonic() - first > SAME_REQUEST:
                    self._leave(name)

    def _left(self, first: float) -> float:
        return max(first + self._bound, self._allowed) - time.monotonic()

    def _receive(self, timeout: float | None) -> bytes:
        """Return the next numbers; none if they take too long."""
        self._ours.settimeout(None if timeout is None else max(0.001, timeout))
        with contextlib.suppress(TimeoutError):
            return self._ours.recv(4096)
        return b""

    def _pass_on(self, numbers: bytes) -> None:
        with self._lock:
            if self._next is not None:
                with contextlib.suppress(OSError):  # nobody reads there
                    os.write(self._next, numbers)
                return
        # Handlers run in the main thread, which may be waiting while another got the signal.
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            self._loop.call_soon_threadsafe(lambda: None)

    def _begin(self, name: str) -> None:
        # At the end of the interpreter no thread can be started, and there is nothing to stop.
        with contextlib.suppress(RuntimeError):
            threading.Thread(
                target=self._stop, args=(name,), name="pycom-stop", daemon=True
            ).start()


def ignore_signals() -> None:
    """Ignore signals with handlers: the interpreter drops these a while before the process ends.

    A repeated signal, or a timer, would then end the process with the wrong status.
    """
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_IGN)


_current: StopSignals | None = None
_masks = threading.local()


@functools.cache
def _register_at_fork() -> None:
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
    )


def _before_fork() -> None:
    # A child that is ended before it has handlers of its own would tell the parent.
    if _current is not None:
        _masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)


def _after_fork() -> None:
    before = vars(_masks).pop("before", None)
    if before is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _after_fork_in_child() -> None:
    global _current
    if _current is not None:
        _current.leave_to_parent()
        _current = None
    _after_fork()
