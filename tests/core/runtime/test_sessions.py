"""Sessions: opened, kept, dropped, and one call of each at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from awaited import comes_true
from in_process import MakeRuntime, answer, call

from pycom_core import (
    Request,
    Response,
    Server,
    ServiceServer,
    Session,
    SessionExpired,
    SessionStore,
    hookimpl,
    interface,
    method,
)
from pycom_core.errors import PluginFailed
from pycom_core.runtime._guards import GuardedStore
from pycom_core.runtime._sessions import Sessions
from pycom_core.testing import Clock
from pycom_plugins.memory.sessions import MemoryStore

IFACE = "com.foo.basket"


@interface(IFACE, stateful=True)
class Cart:
    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.free = asyncio.Event()

    @method
    def add(self, request: Request, item: str = "apple") -> list[str]:
        items: list[str] = request.session.setdefault("items", [])
        items.append(item)
        return items

    @method
    def fail(self, request: Request) -> None:
        request.session["failed"] = True
        raise ValueError

    @method
    def failed(self, request: Request) -> bool:
        return "failed" in request.session

    @method
    def leave(self, request: Request) -> str:
        request.session.discard()
        return request.session_id

    @method
    async def dawdle(self, request: Request) -> int:
        self.inside += 1
        self.most = max(self.most, self.inside)
        count: int = request.session.get("count", 0)
        for _ in range(5):
            await asyncio.sleep(0)
        request.session["count"] = count + 1
        self.inside -= 1
        return count + 1

    @method
    async def hold(self, request: Request) -> None:
        self.inside += 1
        try:
            await self.free.wait()
        finally:
            self.inside -= 1


def guarded(store: SessionStore) -> GuardedStore:
    """The store as its runtime gives it to a server."""
    return GuardedStore(store, PluginFailed)


class Waiting(MemoryStore):
    """A store whose coroutines wait, as those of a remote one do."""

    async def load(self, session_id: str) -> Any:
        await asyncio.sleep(0)
        return await super().load(session_id)

    async def save(self, session_id: str, data: dict[str, Any], ttl: float) -> None:
        await asyncio.sleep(0)
        await super().save(session_id, data, ttl)

    async def drop(self, session_id: str) -> None:
        await asyncio.sleep(0)
        await super().drop(session_id)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=[MemoryStore, Waiting])
def server(
    request: pytest.FixtureRequest, make_runtime: MakeRuntime, clock: Clock
) -> ServiceServer:
    class Mine:
        @hookimpl
        def pycom_session_stores(self) -> dict[str, Any]:
            return {"mine": lambda url: request.param(clock.now)}

    runtime = make_runtime({"mine": Mine()}, session_store="mine:", session_timeout=60_000)
    return ServiceServer(["local://a"], [Cart()], runtime)


def test_opened_and_kept(server: ServiceServer) -> None:
    first = call(server, IFACE, "add")
    assert first["result"] == ["apple"]
    session = first["session_id"]
    assert isinstance(session, str)
    assert len(session) >= 32
    second = call(server, IFACE, "add", {"item": "pear"}, session_id=session)
    assert second == {"code": 0, "result": ["apple", "pear"], "session_id": session}


def test_empty_session_is_kept_too(server: ServiceServer) -> None:
    session = call(server, IFACE, "failed")["session_id"]
    assert call(server, IFACE, "add", session_id=session)["code"] == 0


def test_clients_do_not_see_one_another(server: ServiceServer) -> None:
    ids = {call(server, IFACE, "add")["session_id"] for _ in range(10)}
    assert len(ids) == 10
    assert all(call(server, IFACE, "add", session_id=one)["result"] == ["apple"] * 2 for one in ids)


def test_null_is_no_session(server: ServiceServer) -> None:
    assert call(server, IFACE, "add", session_id=None)["code"] == 0


@pytest.mark.parametrize("unknown", ["nonsense", "", "x" * 1000])
def test_unknown(unknown: str, server: ServiceServer) -> None:
    answer = call(server, IFACE, "add", session_id=unknown)
    assert answer["code"] == 6
    assert len(answer["error"]) < 200


def test_discarded(server: ServiceServer) -> None:
    session = call(server, IFACE, "add")["session_id"]
    left = call(server, IFACE, "leave", session_id=session)
    assert left == {"code": 0, "result": session, "session_id": session}
    assert call(server, IFACE, "add", session_id=session)["code"] == 6


def test_discarded_in_its_first_call(server: ServiceServer) -> None:
    session = call(server, IFACE, "leave")["session_id"]
    assert call(server, IFACE, "add", session_id=session)["code"] == 6


def test_idle_life_is_counted_from_the_last_call(server: ServiceServer, clock: Clock) -> None:
    session = call(server, IFACE, "add")["session_id"]
    for _ in range(3):
        clock.advance(59)
        assert call(server, IFACE, "add", session_id=session)["code"] == 0
    clock.advance(60)
    assert call(server, IFACE, "add", session_id=session)["code"] == 6


def test_what_a_failing_call_left_is_kept(server: ServiceServer) -> None:
    failed = call(server, IFACE, "fail")
    assert failed["code"] == 1
    assert call(server, IFACE, "failed", session_id=failed["session_id"])["result"] is True


def test_calls_of_one_session_one_at_a_time(server: ServiceServer) -> None:
    async def run() -> list[int]:
        session = (await answer(server, IFACE, "failed"))["session_id"]
        calls = [answer(server, IFACE, "dawdle", session_id=session) for _ in range(5)]
        return [each["result"] for each in await asyncio.gather(*calls)]

    assert asyncio.run(run()) == [1, 2, 3, 4, 5]
    assert server.interfaces[IFACE].instance.most == 1


def test_calls_of_several_sessions_at_a_time(server: ServiceServer) -> None:
    async def run() -> None:
        await asyncio.gather(*(answer(server, IFACE, "dawdle") for _ in range(5)))

    asyncio.run(run())
    assert server.interfaces[IFACE].instance.most == 5


@pytest.mark.parametrize("ending", ["discarded", "expired"])
def test_those_that_wait_for_a_session_that_ends(
    ending: str, server: ServiceServer, clock: Clock
) -> None:
    async def run() -> list[int]:
        session = (await answer(server, IFACE, "add"))["session_id"]
        if ending == "expired":
            clock.advance(60)
        name = "leave" if ending == "discarded" else "add"
        first = answer(server, IFACE, name, session_id=session)
        rest = [answer(server, IFACE, "add", session_id=session) for _ in range(3)]
        return [each["code"] for each in await asyncio.gather(first, *rest)]

    assert asyncio.run(run()) == [0 if ending == "discarded" else 6, 6, 6, 6]
    assert server.sessions._waiting == {}


@pytest.mark.parametrize("at_once", [True, False])
def test_cancelled_while_it_waits_for_its_turn(at_once: bool, server: ServiceServer) -> None:
    cart = server.interfaces[IFACE].instance

    async def run() -> int:
        cart.free = asyncio.Event()
        session = (await answer(server, IFACE, "add"))["session_id"]
        first = asyncio.create_task(answer(server, IFACE, "hold", session_id=session))
        await comes_true(lambda: cart.inside)
        second = asyncio.create_task(server.sessions._take(session))
        third = asyncio.create_task(answer(server, IFACE, "add", session_id=session))
        await comes_true(lambda: len(server.sessions._waiting[session]) >= 2)
        if at_once:
            # Its turn comes, and before it knows it is cancelled.
            server.sessions._release(session)
            second.cancel()
            code: int = (await third)["code"]
            cart.free.set()
            await asyncio.gather(first, return_exceptions=True)
            return code
        second.cancel()
        await asyncio.sleep(0)
        cart.free.set()
        await first
        return int((await third)["code"])

    assert asyncio.run(run()) == 0


class Broken(SessionStore):
    """A store that fails where it is told to."""

    def __init__(self) -> None:
        self.fails = ""
        self.inner = MemoryStore()

    def _maybe_fail(self, where: str) -> None:
        if self.fails == where:
            raise OSError("disk full")

    async def load(self, session_id: str) -> Any:
        self._maybe_fail("load")
        return await self.inner.load(session_id)

    async def save(self, session_id: str, data: dict[str, Any], ttl: float) -> None:
        self._maybe_fail("save")
        await self.inner.save(session_id, data, ttl)

    async def drop(self, session_id: str) -> None:
        self._maybe_fail("drop")
        await self.inner.drop(session_id)


@pytest.mark.parametrize(("where", "name"), [("load", "add"), ("save", "add"), ("drop", "leave")])
def test_store_that_fails_blocks_nobody(
    where: str, name: str, make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    server = ServiceServer(["local://a"], [Cart()], make_runtime())
    store = Broken()
    server.sessions.store = guarded(store)
    session = call(server, IFACE, "add")["session_id"]
    store.fails = where
    failed = call(server, IFACE, name, session_id=session)
    assert (failed["code"], failed["error"]) == (1, "Unknown error during request")
    assert "disk full" in caplog.text
    store.fails = ""
    assert call(server, IFACE, "add", session_id=session)["code"] == 0
    assert server.sessions._waiting == {}


def test_store_is_opened_at_the_first_use_only() -> None:
    opened: list[GuardedStore] = []

    def open_store() -> GuardedStore:
        opened.append(guarded(MemoryStore()))
        return opened[-1]

    sessions = Sessions(open_store, 60.0)
    request = Request("com.foo", "bar")
    asyncio.run(sessions.open(request))
    assert request.session == {}
    assert opened == []
    assert sessions.store is sessions.store
    assert len(opened) == 1


class Closing(Waiting):
    """A store that notes on which loop it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed: list[asyncio.AbstractEventLoop] = []

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed.append(asyncio.get_running_loop())


def test_store_is_closed_with_the_server(make_runtime: MakeRuntime) -> None:
    server = ServiceServer(["local://a"], [Cart()], make_runtime())
    store = Closing()
    server.sessions.store = guarded(store)
    loop = server.loop = asyncio.new_event_loop()
    server.close()
    server.close()
    assert store.closed == [loop]
    loop.close()


def test_store_is_closed_while_a_loop_runs(make_runtime: MakeRuntime) -> None:
    async def run() -> None:
        server = ServiceServer(["local://a"], [Cart()], make_runtime())
        store = Closing()
        server.sessions.store = guarded(store)
        server.close()
        await comes_true(lambda: store.closed)
        assert store.closed == [asyncio.get_running_loop()]

    asyncio.run(run())


def test_store_of_a_server_that_never_ran_is_closed_too(make_runtime: MakeRuntime) -> None:
    server = ServiceServer(["local://a"], [Cart()], make_runtime())
    store = Closing()
    server.sessions.store = guarded(store)
    server.close()
    assert len(store.closed) == 1


def test_without_a_session_nothing_is_kept() -> None:
    sessions = Sessions(lambda: guarded(MemoryStore()), 60.0)
    request = Request("com.foo", "bar")
    asyncio.run(sessions.close(request))
    assert request.session is None
    assert sessions._waiting == {}


# A server without interfaces: each call has a session, and only what was put there is kept.


class Counter(Server):
    def handle_call(self, request: Request) -> Response:
        assert request.session is not None
        if request.method == "count":
            request.session["calls"] = request.session.get("calls", 0) + 1
        return request.response(request.session.get("calls"))


def test_server_keeps_sessions_that_are_used(make_runtime: MakeRuntime) -> None:
    server = Counter(["local://a"], make_runtime())
    first = call(server, "any", "count")
    session = first["session_id"]
    again = call(server, "any", "count", session_id=session)
    assert again == {"code": 0, "result": 2, "session_id": session}


def test_server_hands_out_no_id_of_a_session_that_is_not_kept(make_runtime: MakeRuntime) -> None:
    server = Counter(["local://a"], make_runtime())
    assert call(server, "any", "look") == {"code": 0, "result": None}
    assert server.sessions._waiting == {}
    with pytest.raises(SessionExpired):
        asyncio.run(server.sessions.open(Request("any", "look", "unknown")))


def test_prepared_request_that_is_another_has_the_session(make_runtime: MakeRuntime) -> None:
    class Preparing(Counter):
        def prepare_call(self, request: Request) -> Request:
            return Request(request.interface, "count")

    server = Preparing(["local://a"], make_runtime())
    session = call(server, "any", "look")["session_id"]
    assert call(server, "any", "look", session_id=session)["result"] == 2


def test_factory_of_sessions(make_runtime: MakeRuntime) -> None:
    server = Counter(["local://a"], make_runtime())
    made = server.session_factory()
    assert isinstance(made, Session)
    assert made == {}
    assert made.session_id != server.session_factory().session_id
    server.session_factory = lambda: Session("mine", calls=41)
    assert call(server, "any", "count") == {"code": 0, "result": 42, "session_id": "mine"}
