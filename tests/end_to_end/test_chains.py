"""Chains of calls, A → B → C: when A gives its call up, B's call of C is given up, too."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import helpers
import pytest
from awaited import comes_true
from helpers import until
from in_process import MakeRuntime, running

import pycom
from pycom_core import AsyncContext, Context, Request, Runtime, ServiceServer, interface, method

MIDDLE, LAST = "com.foo.middle", "com.foo.last"
OURS = ("zmtp", "zmq")
#: Of what is cancelled in time; else the tests would pass a little later.
FOR_EVER = math.inf


@interface(LAST)
class Last(pycom.Service):
    def __init__(self) -> None:
        self.said: list[str] = []

    @method
    async def hold(self, request: Request) -> None:
        self.said.append("holds")
        try:
            await asyncio.Event().wait()
        finally:
            self.said.append("cancelled")

    @method
    def work(self, request: Request) -> str:
        self.said.append("holds")
        if request.cancelled.wait(helpers.PATIENCE):
            self.said.append("cancelled")
        return "worked"

    @method
    def note(self, request: Request) -> None:
        self.said.append("noted")

    def holds(self) -> bool:
        return self.said == ["holds"]

    def is_cancelled(self) -> bool:
        return self.said[:2] == ["holds", "cancelled"]


@interface(MIDDLE)
class Middle(pycom.Service):
    def __init__(self, own: Context) -> None:
        self.address = self.last = ""
        self.own = own
        self.request: Request | None = None
        self.errors: list[pycom.PycomError] = []
        self.got: list[Any] = []

    @method
    def ask(self, request: Request, name: str) -> None:
        self.request = request
        component = request.context().connect(self.last, LAST)
        errors = []
        for call in (name, "note", "note"):
            try:
                self.got.append(component.invoke(call, timeout=FOR_EVER))
            except pycom.PycomError as error:
                errors.append(error)
        self.errors += errors
        if errors:
            raise errors[0]

    @method
    def ask_by_itself(self, request: Request, name: str) -> None:
        component = request.context().connect(self.address, MIDDLE)
        component.invoke("ask", {"name": name}, timeout=FOR_EVER)

    @method
    async def ask_async(self, request: Request, name: str) -> None:
        component = await request.async_context().connect(self.last, LAST)
        await component.invoke(name, timeout=FOR_EVER)

    @method
    def ask_shielded(self, request: Request) -> None:
        self.request = request
        context = copy.copy(self.own)
        context.token = request.context().token
        component = context.connect(self.last, LAST)
        self.got.append(component.invoke("work_on", timeout=FOR_EVER))

    @method
    async def ask_shielded_async(self, request: Request) -> None:
        self.request = request
        await asyncio.shield(self._ask_to_the_end(request))

    async def _ask_to_the_end(self, request: Request) -> None:
        component = await request.async_context().connect(self.last, LAST)
        self.got.append(await component.invoke("work_on", timeout=FOR_EVER))


class Chain:
    """B and C, each on a loop in a thread of its own."""

    def __init__(self, middle: ServiceServer, b: Middle, c: Last, runtime: Runtime) -> None:
        self.address, self.b, self.c, self.runtime = middle.addresses[0], b, c, runtime


Serve = Callable[..., Chain]


@pytest.fixture
def serve(make_runtime: MakeRuntime) -> Iterator[Serve]:
    with contextlib.ExitStack() as stack:

        def make(
            last: Last | None = None, transport: tuple[str, ...] = OURS, **settings: Any
        ) -> Chain:
            c = last or Last()
            runtime = make_runtime(transport=transport)
            far = ServiceServer([helpers.ANY_PORT], [c], runtime)
            stack.enter_context(running(far))
            runtime = make_runtime(transport=transport, **settings)
            b = Middle(Context(runtime=runtime))
            b.last = far.addresses[0]
            middle = ServiceServer([helpers.ANY_PORT], [b], runtime)
            stack.enter_context(running(middle))
            b.address = middle.addresses[0]
            return Chain(middle, b, c, make_runtime(transport=transport))

        yield make


# A.


def cancels(chain: Chain, begin: Callable[[], object], *call: Any) -> None:
    """Call, and send CANCEL when `begin()` is true."""

    async def run() -> None:
        async with AsyncContext(runtime=chain.runtime) as context:
            component = await context.connect(chain.address, MIDDLE)
            task = asyncio.ensure_future(component.invoke(*call, timeout=FOR_EVER))
            await comes_true(begin)
            task.cancel()
            await asyncio.wait([task])
            await comes_true(chain.c.is_cancelled)

    asyncio.run(run())


def leaves(chain: Chain, begin: Callable[[], object], *call: Any) -> None:
    """Call, and close the connection."""
    with helpers.Dealer(chain.address) as dealer:
        dealer.begin(MIDDLE, *call)
        until(begin)


def is_late(chain: Chain, begin: Callable[[], object], *call: Any) -> None:
    """Call with a timeout, a longer one if the call gets nowhere within the first."""
    component = Context(runtime=chain.runtime).connect(chain.address, MIDDLE)
    for timeout in (300, 3_000, 10_000):
        with pytest.raises((pycom.CallTimeout, pycom.DeadlineExceeded)):
            component.invoke(*call, timeout=timeout)
        if begin():
            break


GIVES_UP = [cancels, leaves, is_late]
MODES = pytest.mark.parametrize("threads", [0, 2], ids=["on the loop", "in workers"])


@pytest.mark.parametrize("give_up", GIVES_UP)
@pytest.mark.parametrize("name", ["hold", "work"])
@pytest.mark.parametrize(
    ("how", "threads"),
    [("ask", 0), ("ask", 2), ("ask_by_itself", 2), ("ask_async", 0)],
    ids=["on the loop", "in workers", "by itself, in workers", "asyncio"],
)
def test_the_last_hears_that_the_first_gave_up(
    how: str, threads: int, name: str, give_up: Callable[..., None], serve: Serve
) -> None:
    chain = serve(threads=threads)
    give_up(chain, lambda: "holds" in chain.c.said, how, {"name": name})
    until(chain.c.is_cancelled)


@pytest.mark.parametrize("give_up", [cancels, leaves])
@MODES
def test_blocked_method_gets_an_exception_and_further_calls_are_refused(
    threads: int, give_up: Callable[..., None], serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    chain = serve(threads=threads)
    give_up(chain, chain.c.holds, "ask", {"name": "hold"})
    until(lambda: len(chain.b.errors) == 3)
    until(chain.c.is_cancelled)
    given_up, *refused = chain.b.errors
    assert isinstance(given_up, pycom.CallCancelled)
    assert given_up.sent
    assert str(given_up) == (
        "com.foo.last.hold: Given up, as the request that it was made for is cancelled"
    )
    for error in refused:
        assert isinstance(error, pycom.CallCancelled)
        assert not error.sent
        assert "com.foo.last.note: Not sent, as the request" in str(error)
    Context(runtime=chain.runtime).connect(chain.address, MIDDLE).invoke("ask", {"name": "note"})
    assert chain.c.said == ["holds", "cancelled", "noted", "noted", "noted"]
    assert "failed" not in caplog.text


@interface(LAST)
class GoesOn(Last):
    """A last one that works on until the test has seen that the first is gone."""

    def __init__(self, is_gone: Callable[[], bool]) -> None:
        super().__init__()
        self._is_gone = is_gone

    @method
    async def work_on(self, request: Request) -> str:
        self.said.append("holds")
        await comes_true(self._is_gone)
        return "worked"


@pytest.mark.parametrize(
    ("how", "threads"),
    [("ask_shielded", 0), ("ask_shielded", 2), ("ask_shielded_async", 0)],
    ids=["on the loop", "in workers", "asyncio"],
)
def test_shielded_call_goes_on(how: str, threads: int, serve: Serve) -> None:
    def is_gone() -> bool:
        return chain.b.request is not None and chain.b.request.cancelled.is_set()

    chain = serve(GoesOn(is_gone), threads=threads)
    leaves(chain, chain.c.holds, how)
    until(lambda: chain.b.got == ["worked"])


@MODES
def test_call_that_cannot_be_aborted_ends_and_further_ones_are_refused(
    threads: int, serve: Serve
) -> None:
    def is_gone() -> bool:
        return chain.b.request is not None and chain.b.request.cancelled.is_set()

    chain = serve(GoesOn(is_gone), transport=("zmq",), threads=threads)
    with helpers.Dealer(chain.address) as dealer:
        dealer.begin(MIDDLE, "ask", {"name": "work_on"})
        until(chain.c.holds)
        # This transport does not notice that a client goes.
        assert chain.b.request is not None
        assert chain.b.request.delivery is not None
        chain.b.request.delivery.cancel()
        until(lambda: len(chain.b.errors) == 2)
    assert chain.b.got == ["worked"]
    assert [getattr(error, "sent", None) for error in chain.b.errors] == [False, False]
    assert chain.c.said == ["holds"]
