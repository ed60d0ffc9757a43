"""Replies find their callers, whatever else goes on: late ones, cancelled calls, failures."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import attrs
import helpers
import pytest
import zmq
from awaited import comes_true
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import pycom
from pycom_core import Client, Context, Runtime
from pycom_core.client._async_component import AsyncComponent
from pycom_core.client._async_context import AsyncContext
from pycom_core.testing import LocalNetwork, RealNetwork
from pycom_core.transport._pool import MAX_IDLE
from pycom_plugins.transport_zmq.async_channel import AsyncDealerChannel
from pycom_plugins.transport_zmtp.async_channel import AsyncSocketChannel

AMPLE = helpers.PATIENCE * 1000  # ms
#: Where nobody listens: TCP's discard port, which only root may bind.
NOBODY = "tcp://127.0.0.1:9"
#: Both sides watch the deadline; whichever notices first says so.
TIMED_OUT = (pycom.CallTimeout, pycom.DeadlineExceeded)
#: Turns of a loop within which a reply surely has left, or arrived.
TURNS = 8
#: From here on frames are sent from where they lie.
LARGE = 70_000

Tag = dict[str, Any]


@pycom.interface("test.replies")
class Echo(pycom.Service):
    """A service that returns its arguments, sooner or later."""

    def __init__(self) -> None:
        self.strikes: dict[str, tuple[int, Callable[[], object]]] = {}
        self._gone: dict[str, threading.Event] = {}

    @pycom.method
    def plain(self, request: Any, tag: Tag, turns: int) -> Tag:
        return self._answered(tag)

    @pycom.method
    async def turning(self, request: Any, tag: Tag, turns: int) -> Tag:
        await _turns(turns)
        return self._answered(tag)

    @pycom.method(attachments=("blob", "blob"), results=("tag", "blob"))
    async def carrying(self, request: Any, tag: Tag, turns: int, blob: bytes) -> tuple[Tag, bytes]:
        await _turns(turns)
        return self._answered(tag), blob

    @pycom.method
    async def failing(self, request: Any, tag: Tag, turns: int) -> None:
        await _turns(turns)
        raise pycom.BadRequest(self._answered(tag)["number"])

    @pycom.method
    async def late(self, request: Any, tag: Tag, turns: int) -> Tag:
        """Answers, deadline or not, when the caller has gone."""
        gone = self._gone.setdefault(tag["number"], threading.Event())
        while not gone.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.001)
        return self._answered(tag)

    def forget(self, tag: Tag) -> None:
        """The caller of a late answer has gone."""
        self._gone.setdefault(tag["number"], threading.Event()).set()

    def _answered(self, tag: Tag) -> Tag:
        turns, strike = self.strikes.pop(tag["number"], (0, None))
        if strike is not None:
            _after(turns, strike)
        return tag


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def _after(turns: int, strike: Callable[[], object]) -> None:
    loop = asyncio.get_running_loop()
    if turns:
        loop.call_soon(_after, turns - 1, strike)
    else:
        strike()


@attrs.frozen
class Call:
    """The actions of one caller; only tasks can be cancelled."""

    method: str
    timeout: float
    text: str
    size: int  #: of the attachment
    turns: int  #: that the service takes
    #: Whose turns are counted until the task is cancelled, and how many: the caller's own since
    #: the call began, or the service's since it answered.
    cancel: tuple[str, int] | None


SHORT = st.sampled_from([1, 3, 10])  # ms
COUNTS = st.integers(0, TURNS)


def calls(methods: list[str], timeouts: st.SearchStrategy[float]) -> st.SearchStrategy[Call]:
    return st.builds(
        Call,
        method=st.sampled_from(methods),
        timeout=timeouts,
        text=st.text(max_size=8),
        size=st.sampled_from([1, 1000, LARGE]),
        turns=COUNTS,
        cancel=st.none() | st.tuples(st.sampled_from(["caller", "service"]), COUNTS),
    )


ANY_CALL = calls(["plain", "turning", "carrying", "failing"], st.just(AMPLE) | SHORT) | calls(
    ["late"], SHORT
)
#: Callers at the same time, each with one call after the other: in a thread with a component that
#: all threads share, or with a socket of its own, or in a task.
PROGRAMS = st.lists(
    st.tuples(
        st.sampled_from(["thread", "DEALER", "REQ", "task"]),
        st.lists(ANY_CALL, min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=10,
)


class Callers:
    """Runs programs, one after the other, with the same clients and one loop for the tasks."""

    def __init__(self, echo: Echo, clients: dict[str, Any], opening: Any) -> None:
        self._echo = echo
        self._numbers = itertools.count()
        self._clients = clients
        # A socket of its own is for one caller at a time; late replies come to the next one.
        self._locks = {kind: threading.Lock() for kind in clients if kind != "thread"}
        self._threads = ThreadPoolExecutor(10)
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _loop, context: self._broken.append(context))
        self._broken: list[dict[str, Any]] = []
        self._component = self.run(_entered(opening))

    def run(self, coroutine: Any) -> Any:
        return self._loop.run_until_complete(coroutine)

    def close(self) -> None:
        self._threads.shutdown()
        self._loop.close()

    def check(self, program: list[tuple[str, list[Call]]]) -> None:
        """Let callers loose, and judge what each of them got."""
        self.run(self._all_at_once(program))
        assert not self._broken

    async def _all_at_once(self, program: list[tuple[str, list[Call]]]) -> None:
        callers = [
            asyncio.ensure_future(
                self._in_task(calls)
                if kind == "task"
                else self._loop.run_in_executor(self._threads, self._in_thread, kind, calls)
            )
            for kind, calls in program
        ]
        done, left = await asyncio.wait(callers, return_when=asyncio.FIRST_EXCEPTION)
        for caller in left:
            caller.cancel()
        if left:
            await asyncio.wait(left)
        for caller in done:
            caller.result()

    def _in_thread(self, kind: str, calls: list[Call]) -> None:
        client = self._clients.get(kind, self._clients["thread"])
        with self._locks.get(kind, contextlib.nullcontext()):
            for call in calls:
                tag = self._tag(call)
                try:
                    outcome = client.invoke(*_arguments(call, tag))
                except Exception as error:
                    outcome = error
                finally:
                    self._echo.forget(tag)
                judge(attrs.evolve(call, cancel=None), tag, outcome)

    async def _in_task(self, calls: list[Call]) -> None:
        for call in calls:
            tag = self._tag(call)
            task = asyncio.ensure_future(self._component.invoke(*_arguments(call, tag)))
            whose, turns = call.cancel or (None, 0)
            if whose == "service":
                strike = partial(self._loop.call_soon_threadsafe, task.cancel)
                self._echo.strikes[tag["number"]] = (turns, strike)
            elif whose == "caller":
                await _turns(turns)
                task.cancel()
            try:
                outcome = await task
            except (Exception, asyncio.CancelledError) as error:
                outcome = error
            finally:
                self._echo.forget(tag)
            judge(call, tag, outcome)

    def _tag(self, call: Call) -> Tag:
        return {"number": f"<{next(self._numbers)}>", "text": call.text}


async def _entered(opening: Any) -> Any:
    return await opening


async def _channel(context: AsyncContext, address: str) -> Any:
    return context.pool.to(address)


def _arguments(call: Call, tag: Tag) -> tuple[Any, ...]:
    blob = _blob(call, tag) if call.method == "carrying" else None
    return call.method, {"tag": tag, "turns": call.turns}, call.timeout, blob


def _blob(call: Call, tag: Tag) -> bytes:
    return f"{tag['number']}".encode() * call.size


def judge(call: Call, tag: Tag, outcome: Any) -> None:
    """Check that a caller got its own reply, or had a reason of its own to get none."""
    if isinstance(outcome, TIMED_OUT):
        assert call.timeout < AMPLE
    elif isinstance(outcome, asyncio.CancelledError):
        assert call.cancel is not None
    elif call.method == "failing":
        assert isinstance(outcome, pycom.BadRequest)
        assert str(outcome) == tag["number"]
    elif call.method == "carrying":
        assert outcome == ({"tag": tag}, _blob(call, tag))
    else:
        assert call.method != "late"
        assert outcome == tag


def hold_for_all_programs(callers: Callers, service: Any, check_after: Callable[[], None]) -> None:
    try:
        # Failures that depend on timing may not repeat, so shrinking is useless.
        @settings(max_examples=200, deadline=None, database=None, phases=[Phase.generate])
        @given(PROGRAMS)
        def property_holds(program: list[tuple[str, list[Call]]]) -> None:
            callers.check(program)
            check_after()
            idle = asyncio.run_coroutine_threadsafe(_idle(service.server), service.server.loop)
            idle.result(helpers.PATIENCE)
            # Everything works as before.
            call = Call("carrying", AMPLE, "after all", 10, 0, None)
            callers.check([(kind, [call]) for kind in ("thread", "DEALER", "REQ", "task")])

        property_holds()
    finally:
        callers.close()


async def _idle(server: Any) -> None:
    """Until no call is left on the server, and no strike is about to come."""
    await comes_true(lambda: not server.in_flight)
    await _turns(TURNS + 1)


def test_replies_through_sockets(runtime: Runtime) -> None:
    echo = Echo()
    with (
        RealNetwork() as network,
        zmq.Context() as sockets,
        contextlib.ExitStack() as left,
    ):
        service = network.serve(echo)
        context = Context(runtime=runtime)
        clients = {"thread": context.connect(service.address, "test.replies")}
        for kind in ("DEALER", "REQ"):
            socket = left.enter_context(sockets.socket(getattr(zmq, kind)))
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(service.address)
            clients[kind] = Client(socket, "test.replies")
        async_context = AsyncContext(runtime=runtime)
        left.callback(async_context.close)

        def no_place_is_kept() -> None:
            channel = callers.run(_channel(async_context, service.address))
            assert isinstance(channel, AsyncSocketChannel | AsyncDealerChannel)
            assert not channel._pending
            assert not channel._unsent
            assert all(len(idle) <= MAX_IDLE for idle in context.pool._idle.values())

        callers = Callers(echo, clients, async_context.connect(service.address, "test.replies"))
        hold_for_all_programs(callers, service, no_place_is_kept)


def test_replies_within_a_process() -> None:
    echo = Echo()
    with LocalNetwork() as network:
        service = network.serve(echo)
        clients = {"thread": network.context().connect(service.address, "test.replies")}
        opening = network.async_context().connect(service.address, "test.replies")
        hold_for_all_programs(Callers(echo, clients, opening), service, lambda: None)


def test_what_was_never_sent_is_not_kept(runtime: Runtime) -> None:
    """Calls of a service that is away give up their places, and what they were to send."""

    async def give_up() -> None:
        async with AsyncContext(runtime=runtime) as context:
            component = AsyncComponent(NOBODY, "test.replies", context)
            for _ in range(3):
                with pytest.raises((pycom.CallTimeout, pycom.ServiceNotAvailable)):
                    await component.invoke("plain", {}, timeout=1, attachment=b"x" * LARGE)
            channel = context.pool.to(NOBODY)
            assert isinstance(channel, AsyncSocketChannel | AsyncDealerChannel)
            assert not channel._pending
            assert not channel._unsent

    asyncio.run(give_up())
