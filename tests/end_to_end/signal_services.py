"""A service whose module and methods handle signals, fork, and leave workers behind."""

from __future__ import annotations

import asyncio
import hashlib
import json
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pycom
from pycom_core.process import _signals

#: s in which a further signal is not told apart from the first one.
_signals.SAME_REQUEST = float(os.environ.get("SAME_REQUEST", _signals.SAME_REQUEST))

FORK = multiprocessing.get_context("fork")


def note(number: int, _frame: object = None) -> None:
    os.write(2, f"handled {signal.Signals(number).name}\n".encode())


def end(number: int, _frame: object = None) -> None:
    note(number)
    sys.exit(7)


def interrupt(number: int, _frame: object = None) -> None:
    raise KeyboardInterrupt


for name in os.environ.get("HANDLE", "").split():
    signal.signal(signal.Signals[name], note)
for name in os.environ.get("EXIT_AT", "").split():
    signal.signal(signal.Signals[name], end)
for name in os.environ.get("INTERRUPT_AT", "").split():
    signal.signal(signal.Signals[name], interrupt)


def wait_for(number: int) -> None:
    while True:
        note(signal.sigwait([number]))


for name in os.environ.get("WAIT_FOR", "").split():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.Signals[name]])
    threading.Thread(target=wait_for, args=[signal.Signals[name]], daemon=True).start()


@pycom.interface("test.signals")
class Signals(pycom.Service):
    def __init__(self) -> None:
        self.kept: list[Any] = []

    @pycom.method
    def echo(self, request: Any, value: Any) -> Any:
        return value

    @pycom.method
    async def sleep(self, request: Any, seconds: float) -> None:
        os.write(2, b"sleeping\n")
        await asyncio.sleep(seconds)

    # Handlers.

    @pycom.method
    def handle(self, request: Any, name: str) -> None:
        signal.signal(signal.Signals[name], note)

    @pycom.method
    def handle_on_loop(self, request: Any, name: str) -> None:
        number = signal.Signals[name]
        asyncio.get_running_loop().add_signal_handler(number, note, number)

    @pycom.method
    def end_on_loop(self, request: Any, name: str) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.Signals[name], sys.exit, 7)

    @pycom.method
    def leave_to_default(self, request: Any, name: str) -> None:
        number, loop = signal.Signals[name], asyncio.get_running_loop()
        loop.add_signal_handler(number, note, number)
        loop.remove_signal_handler(number)

    @pycom.method
    def take_descriptor(self, request: Any) -> None:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno())
        self.kept += [ours, theirs]

    @pycom.method
    def tick(self, request: Any, seconds: float) -> None:
        signal.signal(signal.SIGALRM, note)
        signal.setitimer(signal.ITIMER_REAL, seconds, seconds)

    @pycom.method
    def hold(self, request: Any) -> None:
        """Sleep for an hour, unless a handler interrupts it."""
        os.write(2, b"holding\n")
        time.sleep(3600)

    @pycom.method
    def hold_in_c(self, request: Any) -> None:
        """Sleep for an hour, without a chance for handlers to interrupt it."""
        os.write(2, b"holding\n")
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)

    # Children.

    @pycom.method
    def map(self, request: Any, values: list[int]) -> list[int]:
        with FORK.Pool(2) as pool:
            return pool.map(abs, values)

    @pycom.method
    def terminated(self, request: Any) -> int | None:
        """The status of a child that is ended as soon as it is there."""
        child = FORK.Process(target=time.sleep, args=(600,))
        child.start()
        child.terminate()
        child.join()
        return child.exitcode

    @pycom.method
    def inherited(self, request: Any) -> Any:
        """Return the state that a forked child inherits."""
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            with os.fdopen(writer, "w") as pipe:
                json.dump(inheritance(), pipe)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            found = json.load(pipe)
        os.waitpid(child, 0)
        return found

    @pycom.method
    def raw_fork(self, request: Any, ending: str) -> int:
        """The status of a child that does not end as it should, but `ending`."""
        child = os.fork()
        if not child:
            if ending == "exits":
                sys.exit(7)
            if ending == "raises":
                raise ValueError
            return 0
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    @pycom.method
    def child(self, request: Any) -> int:
        """The number of a child that sleeps."""
        child = FORK.Process(target=time.sleep, args=(600,), daemon=True)
        child.start()
        self.kept.append(child)
        assert child.pid is not None
        return child.pid

    # What is left behind.

    @pycom.method
    def keep(self, request: Any, kind: str, busy: bool = False) -> None:
        if kind == "Pool":
            pool = FORK.Pool(2)
            pool.map(abs, [1, 2])
            if busy:
                pool.apply_async(time.sleep, [600])
            self.kept.append(pool)
            return
        executor: Executor
        if kind == "ThreadPoolExecutor":
            executor = ThreadPoolExecutor(2, "kept")
        else:
            executor = ProcessPoolExecutor(2, FORK)
        list(executor.map(abs, [1, 2]))
        if busy:
            executor.submit(time.sleep, 600)
        self.kept.append(executor)

    @pycom.method
    async def keep_default_executor(self, request: Any) -> int:
        return await asyncio.to_thread(abs, -1)


def inheritance() -> dict[str, Any]:
    stops = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
    handlers = [signal.getsignal(number) for number in stops]
    return {
        "handlers": handlers == [signal.SIG_DFL, signal.default_int_handler, signal.SIG_DFL],
        "blocked": bool(signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(stops)),
        "descriptor": signal.set_wakeup_fd(-1),
        "names": sorted(filter(None, map(name_of, map(int, os.listdir("/dev/fd"))))),
    }


def name_of(descriptor: int) -> str | None:
    """The address of a socket of a server, if it is one."""
    try:
        found = socket.socket(fileno=descriptor)
    except OSError:
        return None
    try:
        name = found.getsockname()
        return f"{name[1]}" if isinstance(name, tuple) else (str(name) or None)
    except OSError:
        return None
    finally:
        found.detach()
