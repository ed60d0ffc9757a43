"""Waiting for the result of a method, without a Task if nothing has to wait."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dis
import inspect
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from types import CodeType
from typing import Any

from pycom_core.errors import DeadlineExceeded, ServiceNotAvailable
from pycom_core.log import logger
from pycom_core.loops._failures import Cancelled
from pycom_core.loops._private import claim, running_loop
from pycom_core.messages import Future, Request, Response

EAGER_TASKS = sys.version_info >= (3, 12)


async def settle(value: Any, deadline: float | None = None, request: Request | None = None) -> Any:
    """Return the value itself, or the result of an awaitable or `Future`, for a request.

    Past `deadline` (s, monotonic) it is cancelled. Raises `DeadlineExceeded`, and `Cancelled`.
    """
    while waits(value):
        future = _start(value)
        try:
            value = await finished(future, deadline, request)
        except (asyncio.CancelledError, DeadlineExceeded):
            if future.done():
                _drop(value)
            else:  # it is about to be cancelled
                future.add_done_callback(partial(_drop_after, value))
            raise
    return value


def waits(value: object) -> bool:
    """Tell whether a value can be awaited or is a future."""
    return hasattr(value, "__await__") or isinstance(value, Future)


def never_waits(function: object) -> bool:
    """Tell whether a function is an `async def` without any `await` in it.

    Its coroutines need no Task around them, and no event loop.
    """
    code = getattr(function, "__code__", None)
    return (
        inspect.iscoroutinefunction(function)
        and type(code) is CodeType
        and not any(step.opname in _AWAITS for step in dis.get_instructions(code))
    )


#: The instructions of `await` and `async with`, and of `async for`.
_AWAITS = ("GET_AWAITABLE", "GET_ANEXT")


class _Raised:
    """An exception on its way to the place that raises it again.

    Not every exception may pass through a Task or a future: they let SystemExit out of the loop,
    take CancelledError for their own, and refuse StopIteration.
    """

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Handover(asyncio.Future[Any]):
    """A future for a result from another thread, which is dropped if nobody waits any more."""

    def give(self, result: Any) -> None:
        """Complete it, from any thread. Raises RuntimeError when its loop is closed."""
        try:
            self.get_loop().call_soon_threadsafe(self._take, result)
        except RuntimeError:  # the loop is closed
            _drop(result)
            raise

    def _take(self, result: Any) -> None:
        if self.done():
            _drop(result)
        else:
            self.set_result(result)

    def give_up_with(self, work: concurrent.futures.Future[Any]) -> None:
        """Cancel it if the given future is cancelled, in any thread."""
        if work.cancelled():
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self.get_loop().call_soon_threadsafe(self.cancel)


def in_worker(pool: concurrent.futures.Executor, work: Callable[[], Any]) -> Handover:
    """Run something in a worker, if somebody still waits for it then. Await it with `settle`."""
    done = Handover(loop=asyncio.get_running_loop())

    def do() -> None:
        if done.done():
            return
        try:
            result = work()
        except BaseException as error:
            result = _Raised(error)
        done.give(result)

    pool.submit(do).add_done_callback(done.give_up_with)
    return done


def _start(awaitable: Any) -> asyncio.Future[Any]:
    if isinstance(awaitable, Handover):
        return awaitable
    loop = asyncio.get_running_loop()
    if isinstance(awaitable, Future):
        done = Handover(loop=loop)
        awaitable.add_done_callback(done.give)
        return done
    if EAGER_TASKS:
        # Runs at once up to its first wait; most methods never get to one.
        return _Task(_contained(awaitable), loop=loop, eager_start=True)  # type: ignore[call-arg]
    return _Task(_contained(awaitable), loop=loop)


async def _contained(awaitable: Awaitable[Any]) -> Any:
    """Return its result, or the exception that it raises, as a value."""
    try:
        return await awaitable
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        return _Raised(error)


if sys.version_info >= (3, 11):
    _Task = asyncio.Task

    def knowing(coroutine: Coroutine[Any, Any, Any]) -> Awaitable[Any]:
        """Return an awaitable that lets `finished` tell that its own task was cancelled."""
        return coroutine

else:

    class _Task(asyncio.Task[Any]):
        """A Task that knows whether it was cancelled itself, as those of Python 3.11 do."""

        _cancelling = 0

        def cancel(self, msg: Any = None) -> bool:
            self._cancelling += not self.done()
            return super().cancel(msg)

        def cancelling(self) -> int:
            return self._cancelling

    knowing = _Task


def is_cancelled() -> bool:
    """Tell whether the current task itself is being cancelled, and not only something in it."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs
        return False
    # None: a `Drive`, which nobody can cancel. A plain task of Python 3.10 cannot tell: then it is.
    return task is not None and getattr(task, "cancelling", lambda: 1)() > 0


async def finished(
    future: asyncio.Future[Any], deadline: float | None = None, request: Request | None = None
) -> Any:
    """Return the result of one of the kernel's own futures.

    It is cancelled past `deadline` (s, monotonic). Raises `DeadlineExceeded`, and `Cancelled` if
    the call is given up. A method may cancel its own task, too; that is a failure of the method.
    """
    passed = False

    def give_up() -> None:
        nonlocal passed
        passed = True
        future.cancel()

    timer = None
    if deadline is not None and not future.done():
        left = max(0.0, deadline - time.monotonic())
        timer = asyncio.get_running_loop().call_later(left, give_up)
    try:
        result = await future
    except (asyncio.CancelledError, GeneratorExit) as error:
        if isinstance(error, Cancelled):  # thrown in by `Drive.cancel`
            _give_up(future, request)
            raise
        if future.done() and not future.cancelled():
            _drop(future.result())  # it came in the same moment
        if passed:  # the clock may not say so yet: uvloop counts whole milliseconds
            raise DeadlineExceeded("The deadline passed while the method ran") from None
        # With GeneratorExit nobody drives this any more: its loop is closed.
        by_method = isinstance(future, _Task) and not isinstance(error, GeneratorExit)
        if by_method and not is_cancelled():
            raise
        raise Cancelled from None
    finally:
        if timer is not None:
            timer.cancel()
    if type(result) is not _Raised:
        return result
    try:
        raise result.error
    finally:
        del result  # which the traceback would hold, and so itself


def _give_up(future: asyncio.Future[Any], request: Request | None) -> None:
    """Cancel the work for a call that nobody waits for any more; log what it does all the same."""
    if future.done():
        if not future.cancelled():
            _drop(future.result())
        return
    future.cancel()
    future.add_done_callback(partial(_note_end, request))


def _note_end(request: Request | None, future: asyncio.Future[Any]) -> None:
    if future.cancelled():
        return
    result = future.result()
    _drop(result)
    if type(result) is _Raised:
        logger().error("A cancelled call%s failed", _of(request), exc_info=result.error)
    elif isinstance(future, _Task):
        logger().info(
            "A cancelled call%s went on to its end: its method caught the cancellation",
            _of(request),
        )


def _of(request: Request | None) -> str:
    return "" if request is None else f" of {request.interface}.{request.method}"


def _drop_after(value: Any, _future: asyncio.Future[Any]) -> None:
    _drop(value)


def _drop(result: Any) -> None:
    # Python complains of a coroutine that has not even begun.
    if inspect.iscoroutine(result):
        result.close()


def run_to_end(
    coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop | None
) -> None:
    """Run a coroutine from plain code: on `loop` if it can be, else on a loop of its own.

    If this thread already runs a loop, that loop runs it later.
    """

    async def whole() -> None:
        await knowing(coroutine)

    running = running_loop()
    if running is None:
        if loop is None or loop.is_running() or loop.is_closed():
            asyncio.run(whole())
        else:
            loop.run_until_complete(whole())
    else:
        task = running.create_task(whole())
        _left.add(task)
        task.add_done_callback(_left.discard)


#: Tasks that nobody awaits: asyncio itself would forget them.
_left: set[asyncio.Task[None]] = set()


class Drive:
    """Runs a coroutine from the event loop's callbacks: a Task without the cost of one.

    Awaitables that need a Task around them (all that are not ours) get one from `settle`.
    """

    __slots__ = ("_coroutine", "_done", "_loop", "_waits_for")

    def __init__(
        self,
        coroutine: Coroutine[Any, None, Any],
        done: Callable[[Any], object],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._coroutine, self._done, self._loop = coroutine, done, loop
        self._waits_for: Any = None  # itself while it runs, and at the end

    def wait(self, waited_for: Any) -> None:
        """Go on once the awaited result is there; after a bare yield, when others had a turn."""
        if waited_for is None:
            # Not None itself: after a cancel, a yield before it must not end this one.
            self._waits_for = turn = object()
            self._loop.call_soon(self, turn)
        else:
            self._waits_for = waited_for
            claim(waited_for)
            waited_for.add_done_callback(self)

    def __call__(self, future: object = None) -> None:
        if future is self._waits_for:  # else it was cancelled meanwhile
            self._go_on(self._coroutine.send, None)

    def cancel(self) -> None:
        """Give the coroutine up: `Cancelled` is raised where it waits. On the loop's thread."""
        if self._waits_for is not self:
            self._go_on(self._coroutine.throw, Cancelled())

    def cancel_soon(self) -> None:
        """Do the same, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self.cancel)

    def _go_on(self, step: Callable[[Any], Any], given: object) -> None:
        self._waits_for = self
        try:
            waited_for = step(given)
        except StopIteration as stop:
            self._done(stop.value)
        else:
            self.wait(waited_for)


#: s between two looks whether a loop that is waited for still runs.
_GLANCE = 0.2


def run_by_hand(
    answer: Coroutine[Any, None, Response],
    request: Request,
    loop: asyncio.AbstractEventLoop | None,
) -> Response | Future:
    """Run a coroutine as far as it goes. Returns its response, or a `Future` of it.

    Where no loop runs in this thread, it runs on `loop` if that runs in another one, which is
    waited for; else it runs here to its end. Raises `ServiceNotAvailable` if the loop ends first.
    """
    if running_loop() is None:
        if loop is None or not loop.is_running():
            return asyncio.run(answer)
        begun: concurrent.futures.Future[Response | Future] = concurrent.futures.Future()
        loop.call_soon_threadsafe(lambda: begun.set_result(_begin(answer, request)))
        while not begun.done():
            concurrent.futures.wait([begun], _GLANCE)
            if not loop.is_running() and not begun.done():
                answer.close()
                raise ServiceNotAvailable("The server of this process is ending")
        return begun.result()
    return _begin(answer, request)


def _begin(answer: Coroutine[Any, None, Response], request: Request) -> Response | Future:
    """Run a coroutine on the running loop up to its first wait, and let it go on by itself."""
    try:
        waited_for = answer.send(None)
    except StopIteration as stop:
        response: Response = stop.value
        return response
    future = Future(request)
    Drive(answer, future._complete, asyncio.get_running_loop()).wait(waited_for)
    return future
