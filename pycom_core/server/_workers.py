"""Threads for sync methods, beside the one of the event loop."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Literal

import attrs

from pycom_core.loops._waiting import in_worker
from pycom_core.messages import Request
from pycom_core.server._interfaces import Interface
from pycom_core.server._methods import Method
from pycom_core.server._pipeline import refuse_if_late
from pycom_core.server._placement import Placement


def make(threads: int | Literal["auto"]) -> Workers | AutoWorker:
    """Return what the setting `threads` asks for, where it is not 0."""
    return AutoWorker(Placement(time.perf_counter)) if threads == "auto" else Workers(threads)


class Workers:
    """Threads that run all sync methods."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, "pycom-worker")

    def run(self, iface: Interface, method: Method, request: Request, nested: bool) -> Any:
        """Run a method in a thread. `nested`: a thread of this process waits for it."""
        # What hooks have set is there in the worker too.
        work = partial(contextvars.copy_context().run, method.start, iface, request)
        if not nested:
            return in_worker(self._pool, partial(_in_time, request, work))
        # The caller may be the last free worker, waiting for this: it gets a thread of its own.
        extra = ThreadPoolExecutor(1, "pycom-nested")
        try:
            return in_worker(extra, partial(_in_time, request, work))
        finally:
            extra.shutdown(wait=False)

    def join(self) -> None:
        """Wait until no thread runs a method; those that wait for one are given up."""
        self._pool.shutdown(cancel_futures=True)

    def close(self) -> None:
        """Give up the calls that wait for a thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class AutoWorker:
    """A thread for the methods that are slow. The others run on the loop while the thread is idle.

    So one method runs at a time, in the order of the calls. A method in the thread may itself call
    methods of this process, and wait for them. Those have the loop, or one more such thread.
    """

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._thread = _Thread()
        self._inner: AutoWorker | None = None  # for the calls that a method in the thread waits for

    def run(self, iface: Interface, method: Method, request: Request, nested: bool) -> Any:
        """Run a method, here or in the thread. `nested`: a thread of this process waits for it."""
        if nested and any(job.worker is self for job in _jobs()):
            return self._for_inner().run(iface, method, request, nested)
        if self._placement.needs_worker(method, self._thread.is_busy):
            context, job = contextvars.copy_context(), _Job(self)
            work = partial(context.run, self._run, job, iface, method, request)
            return in_worker(self._thread, partial(_in_time, request, work))
        return self._placement.timed(method, method.start, iface, request)

    def _run(self, job: _Job, iface: Interface, method: Method, request: Request) -> Any:
        _outer.set((*_jobs(), job))
        try:
            return self._placement.timed(method, method.start, iface, request)
        finally:
            job.is_over = True
            self._thread.is_at_work = False  # before the caller knows, who may call again

    def _for_inner(self) -> AutoWorker:
        if self._inner is None:
            self._inner = AutoWorker(self._placement)
        return self._inner

    def join(self) -> None:
        """Wait until the thread runs no method; those that wait for it are given up."""
        self._thread.shutdown(cancel_futures=True)
        if self._inner is not None:
            self._inner.join()

    def close(self) -> None:
        """Give up the calls that wait for the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._inner is not None:
            self._inner.close()


class _Thread(ThreadPoolExecutor):
    """One thread, which begins with its first work and knows whether it has any."""

    def __init__(self) -> None:
        super().__init__(1, "pycom-worker")
        # Each is set by one thread alone, and so needs no lock.
        self._given = self._taken = 0
        self.is_at_work = False

    @property
    def is_busy(self) -> bool:
        return self._given != self._taken or self.is_at_work

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
        future = super().submit(self._do, partial(work, *arguments, **named))
        self._given += 1
        return future

    def _do(self, work: Callable[[], Any]) -> None:
        self.is_at_work = True
        self._taken += 1
        try:
            work()  # nothing, if nobody waits for it any more
        finally:
            self.is_at_work = False


@attrs.define(eq=False)
class _Job:
    """A method that runs in the thread of a worker."""

    worker: AutoWorker
    is_over: bool = False


#: The methods in threads that wait for this call, from the outermost on.
_outer: contextvars.ContextVar[tuple[_Job, ...]] = contextvars.ContextVar("outer")


def _jobs() -> tuple[_Job, ...]:
    # A task that one of them left running may come here after its end.
    return tuple(job for job in _outer.get(()) if not job.is_over)


def _in_time(request: Request, work: Callable[[], Any]) -> Any:
    refuse_if_late(request)
    return work()
