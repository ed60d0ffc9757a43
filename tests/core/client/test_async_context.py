"""Contexts of asyncio programs: finding services, and calling as somebody."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace
from typing import Any

import helpers
import pytest
from awaited import awaited, comes_true
from doubles import SHOP as IFACE
from doubles import Authenticator, Directory, OldDirectory, Shop, record
from in_process import MakeRuntime, running

from pycom_core import (
    AccessDenied,
    AsyncContext,
    Balancer,
    BaseCommand,
    CallTimeout,
    ConfigurationError,
    DeadlineExceeded,
    RemoteError,
    Request,
    Response,
    Server,
    ServiceNotAvailable,
    ServiceNotFound,
    ServiceServer,
    constants,
    hookimpl,
    interface,
    method,
)
from pycom_core.client.discovery import _cache as recordcache
from pycom_core.records import ServiceRecord
from pycom_core.testing import Clock

AGENT = "com.foo.agent"
ANY_PORT = "tcp://127.0.0.1:*"
#: An address without a listener: TCP's discard port, which only root may bind.
NOBODY = "tcp://127.0.0.1:9"


@interface(AGENT)
class Agent:
    """Calls a shop on behalf of its callers."""

    introspection_data: dict[str, Any] = {}  # noqa: RUF012

    @method
    async def ask(self, request: Request, address: str | None = None) -> Any:
        async with request.async_context() as context:
            if address is not None:
                return await (await context.connect(address, IFACE)).who()
            async with context.locate(IFACE) as shop:
                return await shop.who()

    @method
    async def late(self, request: Request) -> Any:
        async with request.async_context() as context:
            context.deadline = time.monotonic()
            await context.connect("local://shop", IFACE)


Serve = Callable[[str, Any], ServiceServer]
MakeContext = Callable[..., AsyncContext]


@pytest.fixture
def serve(make_runtime: MakeRuntime) -> Serve:
    """Serves an object in a runtime of its own."""
    return lambda address, provider: ServiceServer([address], [provider], make_runtime())


@pytest.fixture
def context(make_runtime: MakeRuntime) -> MakeContext:
    """Makes contexts, each in a runtime of its own."""

    def make(*args: Any, plugins: Any = None, **kwargs: Any) -> AsyncContext:
        return AsyncContext(*args, runtime=make_runtime(plugins), **kwargs)

    return make


@pytest.fixture
def directory(serve: Serve) -> Directory:
    """A nameserver at local://ns that knows the shop at local://one."""
    directory = Directory(record("/one", "local://one"))
    serve("local://ns", directory)
    return directory


async def who(context: AsyncContext, *located: Any) -> Any:
    """Locate a shop and call it."""
    async with context.locate(*located or (IFACE,)) as shop:
        return await shop.who()


# Finding.


@pytest.mark.parametrize("kind", [Directory, OldDirectory])
@awaited
async def test_locate(kind: type[Directory], serve: Serve, context: MakeContext) -> None:
    serve("local://one", Shop("one"))
    serve("local://two", Shop("two"))
    records = [
        record("/com/one", "local://one"),
        record("/com/two", "local://two"),
        record("/com/three", "local://three", IFACE + ".other"),
        record("/com/twofold", "local://nowhere", "com.foo.else"),
    ]
    serve("local://ns", kind(*records))
    finder = context("local://ns")
    assert {await who(finder) for _ in range(50)} == {"one", "two"}
    assert await who(finder, IFACE, "/com/two") == "two"
    shop = await finder.locate(IFACE, "/com/one")
    assert await shop.who() == "one"
    with pytest.raises(ServiceNotFound, match=r"'com\.foo\.nothing' not found"):
        await finder.locate("com.foo.nothing")
    with pytest.raises(ServiceNotFound):
        await finder.locate(IFACE, "/com/three")


@awaited
async def test_connect_needs_no_nameserver(serve: Serve, context: MakeContext) -> None:
    serve("local://one", Shop("one"))
    caller = context("local://down")
    async with caller.connect("local://one", IFACE) as shop:
        assert await shop.who() == "one"
    assert await (await caller.connect("local://one", IFACE)).who() == "one"


@awaited
async def test_nameserver_is_a_component(directory: Directory, context: MakeContext) -> None:
    finder = context("local://ns")
    async with finder.nameserver() as nameserver:
        assert nameserver.name == constants.NS_INTERFACE
        assert await nameserver.stat() == {}
    assert (await (await finder.nameserver()).find(IFACE))[0]["service"] == "/one"


@awaited
async def test_no_nameserver(context: MakeContext) -> None:
    with pytest.raises(
        ServiceNotFound, match=r"No nameserver answers: Nobody listens on local://a$"
    ):
        await context("local://a").locate(IFACE)
    with pytest.raises(ServiceNotFound, match="no nameserver runs in this process"):
        await context().locate(IFACE)
    with pytest.raises(ServiceNotFound, match="local://a; Nobody listens on local://b"):
        await context(["local://a", "local://b"]).nameserver()


@awaited
async def test_nameserver_of_this_process(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    ServiceServer(["local://a"], [Shop("here")], runtime)
    ServiceServer(["local://ns"], [Directory(record("/here", "local://a"))], runtime)
    assert await who(AsyncContext(runtime=runtime)) == "here"


@awaited
async def test_replica_that_answered_is_asked_next(
    directory: Directory, context: MakeContext
) -> None:
    finder = context(["local://down", "local://ns", "local://never"])
    await finder.nameserver()
    assert finder.nameservers == ["local://ns", "local://never", "local://down"]
    await finder.nameserver()
    assert finder.nameservers == ["local://ns", "local://never", "local://down"]
    assert len(directory.asked) == 2


@awaited
async def test_replicas_share_the_time(context: MakeContext) -> None:
    caller = context(["local://a", "local://b"], timeout=1000)
    given: list[float] = []

    class Silent:
        async def exchange(self, payload: Any, timeout: float) -> Any:
            given.append(timeout)
            raise CallTimeout("silent")

    caller.pool.to = lambda address: Silent()  # type: ignore[assignment,return-value,method-assign]
    with pytest.raises(ServiceNotFound, match="silent; silent"):
        await caller.nameserver()
    assert given == [500, 500]


@awaited
async def test_error_of_a_nameserver_is_an_answer(serve: Serve, context: MakeContext) -> None:
    @interface(constants.NS_INTERFACE)
    class Refusing:
        @method
        async def stat(self, request: Request) -> None:
            raise AccessDenied("not you")

    serve("local://refusing", Refusing())
    serve("local://other", Directory())
    with pytest.raises(AccessDenied, match="not you"):
        await context(["local://refusing", "local://other"]).nameserver()


@awaited
async def test_service_that_is_away(context: MakeContext) -> None:
    caller = context()
    with pytest.raises(ServiceNotAvailable, match="Nobody listens on local://away"):
        await caller.connect("local://away", IFACE)
    assert caller.descriptions == {}


# What is remembered.


@awaited
async def test_nameserver_is_not_asked_while_the_service_is_there(
    directory: Directory, serve: Serve, context: MakeContext
) -> None:
    shop = serve("local://one", Shop("one"))
    finder = context("local://ns")
    assert [await who(finder) for _ in range(3)] == ["one"] * 3
    assert len(directory.asked) == 1
    shop.close()
    serve("local://two", Shop("two"))
    directory.records = [record("/two", "local://two")]
    assert await who(finder) == "two"
    assert len(directory.asked) == 2


@awaited
async def test_service_that_failed_is_not_found_any_more(
    directory: Directory, serve: Serve, context: MakeContext
) -> None:
    server = serve("local://one", Shop("one"))
    finder = context("local://ns")
    shop = await finder.locate(IFACE)
    key = (IFACE, None)
    with pytest.raises(RemoteError):
        await shop.invoke("missing")
    assert finder.records.get(key), "an error is an answer"
    server.close()
    with pytest.raises(ServiceNotAvailable):
        await shop.who()
    assert not finder.records.get(key)


@awaited
async def test_service_that_is_gone_is_forgotten(
    directory: Directory, serve: Serve, context: MakeContext
) -> None:
    shop = serve("local://one", Shop("one"))
    finder = context("local://ns")
    await who(finder)
    shop.close()
    directory.records = []
    with pytest.raises(ServiceNotFound):
        await finder.locate(IFACE)
    assert not finder.records.get((IFACE, None))


class Refreshing:
    """A context that has located a shop, and its clock."""

    def __init__(self, make_runtime: MakeRuntime) -> None:
        self.clock = Clock()
        runtime = make_runtime()
        runtime.clock = self.clock.now
        self.context = AsyncContext("local://ns", runtime=runtime)

    async def refreshed(self) -> None:
        """Wait for the refreshes in the background."""
        await asyncio.gather(*self.context._refreshes)
        await asyncio.sleep(0)
        assert not self.context._refreshes


@awaited
async def test_answer_that_grows_old_is_refreshed_in_the_background(
    directory: Directory, serve: Serve, make_runtime: MakeRuntime
) -> None:
    serve("local://one", Shop("one"))
    serve("local://two", Shop("two"))
    refreshing = Refreshing(make_runtime)
    finder = refreshing.context
    assert await who(finder) == "one"
    directory.records = [record("/two", "local://two")]
    refreshing.clock.advance(recordcache.REFRESH)
    shops = [await finder.locate(IFACE) for _ in range(3)]
    assert [await shop.who() for shop in shops] == ["one"] * 3
    await refreshing.refreshed()
    assert len(directory.asked) == 2, "one of them asks"
    assert await who(finder) == "two"


@awaited
async def test_refresh_that_fails_harms_nobody(
    directory: Directory,
    serve: Serve,
    make_runtime: MakeRuntime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG", "pycom")
    serve("local://one", Shop("one"))
    refreshing = Refreshing(make_runtime)
    finder = refreshing.context
    await who(finder)
    finder.nameservers[:] = ["local://down"]
    refreshing.clock.advance(recordcache.REFRESH)
    assert await who(finder) == "one"
    await refreshing.refreshed()
    assert "Could not refresh what is known of com.foo.stall: No nameserver" in caplog.text
    assert await who(finder) == "one"


@pytest.mark.parametrize("over", ["locate", "connect"])
@awaited
async def test_interface_is_introspected_once(
    over: str, directory: Directory, serve: Serve, context: MakeContext
) -> None:
    server = serve("local://one", Shop("one"))
    caller = context("local://ns")
    asked: list[str] = []
    caller.prehooks.append(lambda component, data: asked.append(data.method))

    async def opened() -> Any:
        if over == "locate":
            return await caller.locate(IFACE)
        return await caller.connect("local://one", IFACE)

    for _ in range(3):
        await opened()
    assert asked == ["introspect"]
    with pytest.raises(RemoteError):
        await caller.connect("local://one", "com.foo.other")
    assert asked == ["introspect"] * 2, "of each interface"
    server.close()
    serve("local://two", Shop("two"))
    with pytest.raises(ServiceNotAvailable):
        await caller.connect("local://one", IFACE)
    assert len(asked) == 3, "what was behind a broken connection may have changed"


class Noting(Balancer):
    """A balancer that chooses the last record, and notes its calls."""

    def __init__(self) -> None:
        self.notes: list[Any] = []

    def choose(self, records: Sequence[ServiceRecord], key: str | None = None) -> ServiceRecord:
        self.notes.append(("choose", len(records), key))
        return records[-1]

    def observe(
        self, record: ServiceRecord, latency: float | None, error: BaseException | None
    ) -> None:
        self.notes.append(("observe", record.service, latency is not None, error))

    def told(self) -> list[Any]:
        """Return the notes since the last time."""
        told, self.notes = self.notes, []
        return told


@pytest.fixture
def balanced(
    directory: Directory, serve: Serve, make_runtime: MakeRuntime
) -> tuple[AsyncContext, Noting, ServiceServer]:
    """A context with that balancer, for two services; the server of the one that it chooses."""
    directory.records.append(record("/two", "local://two"))
    balancer, server = Noting(), serve("local://two", Shop("two"))
    plugin = SimpleNamespace(pycom_balancers=hookimpl(lambda: {"noting": lambda url: balancer}))
    runtime = make_runtime({"mine": plugin}, balancer="noting")
    return AsyncContext("local://ns", runtime=runtime), balancer, server


Balanced = tuple[AsyncContext, Noting, ServiceServer]
CHOSEN, CALLED, NOT_USED = (
    ("choose", 2, IFACE),
    ("observe", "/two", True, None),
    ("observe", "/two", False, None),
)


@awaited
async def test_balancer_is_told_of_calls(balanced: Balanced) -> None:
    finder, balancer, _server = balanced
    shop = await finder.locate(IFACE)
    assert balancer.told() == [CHOSEN, CALLED], "it was introspected"
    await shop.who()
    assert balancer.told() == [("choose", 1, None), CALLED]
    async with finder.locate(IFACE):
        assert balancer.told() == [CHOSEN]
    assert balancer.told() == [NOT_USED]


@awaited
async def test_balancer_is_told_of_a_service_that_is_gone(
    balanced: Balanced, directory: Directory, serve: Serve
) -> None:
    finder, balancer, server = balanced
    serve("local://one", Shop("one"))
    await finder.locate(IFACE)
    server.close()
    balancer.told()
    del directory.records[1]
    await finder.locate(IFACE)
    assert balancer.told()[:3] == [CHOSEN, NOT_USED, ("choose", 1, IFACE)]


@awaited
async def test_balancer_is_told_of_a_component_that_could_not_be_opened(
    balanced: Balanced,
) -> None:
    def refuse(component: Any, data: Any) -> None:
        raise KeyError("no")

    finder, balancer, _server = balanced
    finder.prehooks.append(refuse)
    with pytest.raises(KeyError):
        await finder.locate(IFACE)
    assert balancer.told() == [CHOSEN, NOT_USED]


# Who calls.


@pytest.fixture
def shop(serve: Serve, directory: Directory) -> Shop:
    """A shop, an authenticator, and a nameserver at local://ns that knows both."""
    shop = Shop()
    serve("local://shop", shop)
    serve("local://auth", Authenticator())
    directory.records = [
        record("/shop", "local://shop"),
        record("/auth", "local://auth", constants.AUTH_INTERFACE),
    ]
    return shop


@awaited
async def test_authenticated_calls_carry_the_token(shop: Shop, context: MakeContext) -> None:
    caller = context("local://ns")
    assert await caller.user_info() is None
    await caller.authenticate("anna", "right")
    assert caller.token == "token of anna"
    assert await caller.user_info() == {"name": "anna", "roles": ["customer"]}
    await who(caller)
    assert shop.extensions[-1][constants.AUTH_EXTENSION] == "token of anna"


@awaited
async def test_token_that_one_has(shop: Shop, context: MakeContext) -> None:
    caller = context("local://ns")
    await caller.authenticate(token="token of bert")
    assert (await caller.user_info())["name"] == "bert"
    with pytest.raises(AccessDenied, match="Bad token"):
        await caller.authenticate(token="forged")
    assert caller.token == "token of bert"


@awaited
async def test_authentication_that_fails_changes_nothing(shop: Shop, context: MakeContext) -> None:
    caller = context("local://ns")
    with pytest.raises(AccessDenied, match="Wrong password"):
        await caller.authenticate("anna", "wrong")
    assert caller.token is None
    await who(caller)
    assert constants.AUTH_EXTENSION not in shop.extensions[-1]


@awaited
async def test_without_an_authenticator(directory: Directory, context: MakeContext) -> None:
    with pytest.raises(ServiceNotFound):
        await context("local://ns").authenticate("anna", "right")


@awaited
async def test_neither_token_nor_hooks_are_for_the_nameserver(
    shop: Shop, directory: Directory, context: MakeContext
) -> None:
    caller = context("local://ns")
    caller.token = "secret"
    seen: list[str] = []
    caller.prehooks.append(lambda component, data: seen.append(component.name))
    await who(caller)
    await (await caller.nameserver()).find(IFACE)
    assert set(seen) == {IFACE}
    assert [request.method for request in directory.asked] == ["find", "stat", "find"]
    tokens = [request.extensions.get(constants.AUTH_EXTENSION) for request in directory.asked]
    assert tokens == [None] * 3


@awaited
async def test_deadline_that_has_passed(
    directory: Directory, serve: Serve, context: MakeContext
) -> None:
    shop = Shop()
    serve("local://one", shop)
    caller = context("local://ns")
    component = await caller.connect("local://one", IFACE)
    caller.deadline = time.monotonic()
    for call in (component.who, caller.nameserver, lambda: caller.locate(IFACE)):
        with pytest.raises(DeadlineExceeded):
            await call()
    assert (directory.asked, shop.extensions) == ([], [])


# On behalf of a caller.


@pytest.mark.parametrize("place", ["same process", "another process"])
@awaited
async def test_async_method_calls_on(
    place: str, shop: Shop, context: MakeContext, make_runtime: MakeRuntime
) -> None:
    runtime = make_runtime(nameserver=("local://ns",))
    provider = Shop("near")
    if place == "same process":
        ServiceServer(["local://near"], [provider], runtime)
    address = "local://near" if place == "same process" else None
    ServiceServer(["local://agent"], [Agent()], runtime)
    caller = context("local://ns")
    caller.token = "token of anna"
    agent = await caller.connect("local://agent", AGENT)
    expected = "shop" if address is None else "near"
    assert await agent.invoke("ask", {"address": address}, timeout=4000) == expected
    extensions = (shop if address is None else provider).extensions[-1]
    assert extensions[constants.AUTH_EXTENSION] == "token of anna"
    assert 0 < extensions[constants.DEADLINE_EXTENSION] <= 4000


@awaited
async def test_callers_are_kept_apart(
    shop: Shop, context: MakeContext, make_runtime: MakeRuntime
) -> None:
    ServiceServer(["local://agent"], [Agent()], make_runtime(nameserver=("local://ns",)))
    for token in ("token of anna", None, "token of bert"):
        caller = context("local://ns")
        caller.token = token
        await (await caller.connect("local://agent", AGENT)).ask()
        assert shop.extensions[-1].get(constants.AUTH_EXTENSION) == token


@awaited
async def test_deadline_of_the_caller_is_kept(
    shop: Shop, context: MakeContext, make_runtime: MakeRuntime
) -> None:
    ServiceServer(["local://agent"], [Agent()], make_runtime(nameserver=("local://ns",)))
    agent = await context().connect("local://agent", AGENT)
    with pytest.raises(DeadlineExceeded, match="call that this one is made for"):
        await agent.late()
    assert shop.extensions == []


def test_context_on_behalf_of_somebody_shares_what_is_connected(context: MakeContext) -> None:
    owner = context("local://ns", timeout=70)
    owner.prehooks.append(lambda component, data: None)
    twin = owner.on_behalf_of("token", 12.5)
    assert (twin.token, twin.deadline, twin.timeout) == ("token", 12.5, 70)
    assert (twin.nameservers, twin.runtime) == (owner.nameservers, owner.runtime)
    assert twin.records is owner.records
    assert twin.descriptions is owner.descriptions
    assert (owner.token, owner.deadline, twin.prehooks) == (None, None, [])


# Over TCP.


@pytest.fixture
def network(make_runtime: MakeRuntime) -> Iterator[SimpleNamespace]:
    """A nameserver and a shop on TCP, and a runtime whose configuration names it."""
    shop = Shop()
    with running(ServiceServer([ANY_PORT], [shop], make_runtime(transport=None))) as server:
        directory = Directory(record("/shop", server.addresses[0]))
        names = ServiceServer([ANY_PORT], [directory], make_runtime(transport=None))
        with running(names):
            runtime = make_runtime(transport=None, nameserver=tuple(names.addresses))
            yield SimpleNamespace(shop=shop, address=server.addresses[0], runtime=runtime)


Network = SimpleNamespace


def pending(context: AsyncContext) -> list[Any]:
    """The calls that hold a place on any connection."""
    channels = list(context.pool._here().values())
    assert channels
    return [one for channel in channels for one in (*channel._pending, *channel._unsent)]  # type: ignore[attr-defined]


async def ordered(network: Network, *numbers: int) -> None:
    """Wait until the shop has these orders."""
    await comes_true(lambda: set(numbers) <= set(network.shop.ordered))


@awaited
async def test_many_calls_in_flight(network: Network) -> None:
    async with AsyncContext(runtime=network.runtime) as context:
        shop = await context.locate(IFACE)
        orders = [asyncio.ensure_future(shop.order(number)) for number in range(100)]
        await ordered(network, *range(100))
        assert not any(order.done() for order in orders)
        for number in reversed(range(100)):
            await shop.deliver(number)
            assert await orders[number] == number
        assert len(context.pool._here()) == 2, "one connection to each server"
        assert pending(context) == []


@pytest.mark.parametrize("of", ["call", "context"])
@awaited
async def test_timeout(of: str, network: Network) -> None:
    async with AsyncContext(runtime=network.runtime) as context:
        shop = await context.locate(IFACE)
        if of == "context":
            context.timeout = 50
        with pytest.raises((CallTimeout, DeadlineExceeded)):
            await shop.invoke("order", {"number": 1}, timeout=50 if of == "call" else None)
        context.timeout = 30_000
        assert pending(context) == []
        await shop.deliver(1)
        assert await shop.who() == "shop"


@awaited
async def test_cancelled_call(network: Network) -> None:
    async with AsyncContext(runtime=network.runtime) as context:
        shop = await context.locate(IFACE)
        order, other = (asyncio.ensure_future(shop.order(number)) for number in (1, 2))
        await ordered(network, 1, 2)
        order.cancel()
        with pytest.raises(asyncio.CancelledError):
            await order
        assert len(pending(context)) == 1
        await shop.deliver(1)  # its late reply is dropped
        await shop.deliver(2)
        assert await other == 2
        assert pending(context) == []


@awaited
async def test_service_that_is_away_over_tcp(network: Network) -> None:
    async with AsyncContext(runtime=network.runtime, timeout=20) as context:
        with pytest.raises(ServiceNotAvailable, match=NOBODY) as caught:
            await context.connect(NOBODY, IFACE)
        assert not caught.value.sent
        assert pending(context) == []
        context.timeout = 30_000
        assert await who(context) == "shop"


@awaited
async def test_close_fails_calls_in_flight(network: Network) -> None:
    context = AsyncContext(runtime=network.runtime)
    shop = await context.locate(IFACE)
    order = asyncio.ensure_future(shop.order(1))
    await ordered(network, 1)
    context.close()
    with pytest.raises(ServiceNotAvailable, match=f"{network.address} was closed"):
        await order
    context.close()


@awaited
async def test_leaving_the_context_closes_it(network: Network) -> None:
    async with AsyncContext(runtime=network.runtime) as context:
        await who(context)
        channels = list(context.pool._here().values())
    assert len(channels) == 2
    assert not any(channel.is_open() for channel in channels)


@awaited
async def test_closing_a_context_on_behalf_leaves_the_connections(network: Network) -> None:
    async with AsyncContext(runtime=network.runtime) as context:
        shop = await context.locate(IFACE)
        order = asyncio.ensure_future(shop.order(1))
        await ordered(network, 1)
        async with context.on_behalf_of("token", None) as twin:
            assert await who(twin) == "shop"
            assert twin.pool is context.pool
        await shop.deliver(1)
        assert await order == 1


def test_one_loop_after_the_other(network: Network) -> None:
    context = AsyncContext(runtime=network.runtime)
    sockets: list[Any] = []

    async def work() -> str:
        result: str = await who(context)
        sockets.append(weakref.ref(context.pool.to(network.address)._socket))  # type: ignore[attr-defined]
        return result

    assert [asyncio.run(work()) for _ in range(3)] == ["shop"] * 3
    gc.collect()
    assert [socket() for socket in sockets] == [None] * 3, "each went with its loop"


def test_a_loop_in_each_of_many_threads(network: Network) -> None:
    context = AsyncContext(runtime=network.runtime)
    start = threading.Barrier(8)
    orders = iter(range(1000))

    async def work() -> None:
        async with context.locate(IFACE) as shop:
            for _ in range(5):
                number = next(orders)
                order = asyncio.ensure_future(shop.order(number))
                await shop.deliver(number)
                assert await order == number

    def each_its_own_loop() -> str:
        start.wait(helpers.PATIENCE)
        for _ in range(5):
            asyncio.run(work())
        return "done"

    with ThreadPoolExecutor(8) as threads:
        results = [threads.submit(each_its_own_loop) for _ in range(8)]
        assert [result.result() for result in results] == ["done"] * 8
    context.close()


def test_close_reaches_calls_in_flight_on_other_loops(network: Network) -> None:
    context = AsyncContext(runtime=network.runtime)

    async def work() -> None:
        async with context.locate(IFACE) as shop:
            with pytest.raises(ServiceNotAvailable, match=f"{network.address} was closed"):
                await shop.invoke("order", {"number": 1}, timeout=60_000)

    with ThreadPoolExecutor(1) as threads:
        result = threads.submit(asyncio.run, work())
        asyncio.run(ordered(network, 1))
        context.close()
        result.result()


def drop(held: list[Any]) -> None:
    held.clear()
    gc.collect()


def test_context_that_is_not_closed_warns_and_lets_go(
    network: Network, collect: Callable[[], object]
) -> None:
    channels: list[Any] = []

    async def work() -> None:
        context = AsyncContext(runtime=network.runtime)
        assert await who(context) == "shop"
        channels.extend(context.pool._here().values())
        held = [context]
        del context
        with pytest.warns(ResourceWarning, match=f"not closed, .*{network.address}"):
            drop(held)

    asyncio.run(work())
    assert [channel.is_open() for channel in channels] == [False, False]


def test_component_outlives_its_loop(network: Network) -> None:
    context = AsyncContext(runtime=network.runtime)

    async def opened() -> Any:
        return await context.locate(IFACE)

    async def call(shop: Any) -> Any:
        return await shop.who()

    shop = asyncio.run(opened())
    assert [asyncio.run(call(shop)) for _ in range(2)] == ["shop"] * 2
    context.close()


def test_fork(network: Network) -> None:
    context = AsyncContext(runtime=network.runtime)
    assert asyncio.run(who(context)) == "shop"
    child = os.fork()
    if child == 0:
        # Whatever happens, the child must not go on with the tests.
        try:
            os._exit(0 if asyncio.run(who(context)) == "shop" else 1)
        finally:
            os._exit(2)
    assert asyncio.run(who(context)) == "shop"
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert asyncio.run(who(context)) == "shop"
    context.close()


@awaited
async def test_connection_that_broke_is_asked_anew(
    network: Network, make_runtime: MakeRuntime
) -> None:
    """The context stays, and its service comes back at the same address."""
    first = ServiceServer([ANY_PORT], [Shop("first")], make_runtime(transport=None))
    address = first.addresses[0]
    first.setup(asyncio.get_running_loop())
    async with AsyncContext(runtime=network.runtime) as context:
        shop = await context.connect(address, IFACE)
        assert await shop.who() == "first"
        first.close()
        await comes_true(lambda: not context.is_connected(address))
        successor = partial(
            ServiceServer, [address], [Shop("second")], make_runtime(transport=None)
        )
        second = helpers.eventually(successor, ConfigurationError)
        second.setup(asyncio.get_running_loop())
        assert await shop.who() == "second"
        second.close()


# Within the process.


@awaited
async def test_server_of_this_process_that_is_closed(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    first = ServiceServer(["local://a"], [Shop("first")], runtime)
    shop = await AsyncContext(runtime=runtime).connect("local://a", IFACE)
    assert await shop.who() == "first"
    first.close()
    with pytest.raises(ServiceNotAvailable, match="Nobody listens on local://a"):
        await shop.who()


@awaited
async def test_successor_of_a_server_of_this_process(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    first = ServiceServer(["local://a"], [Shop("first")], runtime)
    shop = await AsyncContext(runtime=runtime).connect("local://a", IFACE)
    first.close()
    ServiceServer(["local://a"], [Shop("second")], runtime)
    assert await shop.who() == "second"


# Commands of plugins.


class Echo(BaseCommand):
    """Gives back a text, and the bytes beside it."""

    def request_to_dict(self, request: Any, **kw: Any) -> dict[str, Any]:
        return {"text": request}

    def request_from_dict(self, data: dict[str, Any]) -> str:
        return str(data["text"])

    async def real_process_request(self, request: str, *other_parts: Any) -> Response:
        if request == "late":
            await asyncio.Event().wait()
        return Response(None, result=request, attachment=other_parts[0] if other_parts else None)

    def response_to_dict(self, response: Response) -> dict[str, Any]:
        return {"text": response.result}

    def response_from_dict(self, data: dict[str, Any]) -> Any:
        return data["text"]


@pytest.fixture
def commanded(make_runtime: MakeRuntime) -> None:
    """A shop at local://shop that knows the command ECHO."""

    def pycom_commands(server: Server | None) -> dict[bytes, BaseCommand]:
        return {b"ECHO": Echo(server)}

    plugin = SimpleNamespace(pycom_commands=hookimpl(pycom_commands))
    ServiceServer(["local://shop"], [Shop()], make_runtime({"mine": plugin}))


@pytest.mark.usefixtures("commanded")
@awaited
async def test_command_by_address_and_by_component(context: MakeContext) -> None:
    caller = context()
    async with caller.connect("local://shop", IFACE) as shop:
        for server in (shop, "local://shop"):
            assert await caller.send_command(server, b"ECHO", Echo(), "abc") == "abc"


@pytest.mark.parametrize("views", [False, True])
@pytest.mark.usefixtures("commanded")
@awaited
async def test_attachment_of_a_command(views: bool, context: MakeContext) -> None:
    caller = context(views=views)
    answer = await caller.send_command("local://shop", b"ECHO", Echo(), "a", attachment=b"12")
    assert answer == ("a", b"12")
    assert type(answer[1]) is (memoryview if views else bytes)


@pytest.mark.usefixtures("commanded")
@awaited
async def test_command_has_a_time(context: MakeContext) -> None:
    caller = context(timeout=40)
    with pytest.raises(CallTimeout, match="within 20 ms"):
        await caller.send_command("local://shop", b"ECHO", Echo(), "late", timeout=20)
    with pytest.raises(CallTimeout, match="within 40 ms"):
        await caller.send_command("local://shop", b"ECHO", Echo(), "late")
    caller.deadline = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await caller.send_command("local://shop", b"ECHO", Echo(), "abc")
