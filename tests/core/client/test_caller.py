"""The common base of contexts: caller, hooks, deadline, and choice of a service."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import attrs
import pytest
from doubles import Directory, record
from in_process import MakeRuntime

from pycom_core import (
    AccessDenied,
    AsyncContext,
    Balancer,
    CallCancelled,
    CallTimeout,
    ConfigurationError,
    Context,
    DeadlineExceeded,
    Request,
    Response,
    ServiceNotAvailable,
    ServiceNotFound,
    ServiceServer,
    constants,
    hookimpl,
    interface,
    method,
)
from pycom_core.addresses import with_key
from pycom_core.client import _caller as calling
from pycom_core.client import _conversations as conversations
from pycom_core.client._choice import Use, choose, choose_again
from pycom_core.client._remote import RemoteClient
from pycom_core.client._sync_caller import SyncCaller
from pycom_core.client.discovery import _cache as recordcache
from pycom_core.keys import Keys, as_text
from pycom_core.records import ServiceRecord
from pycom_core.testing import Clock

IFACE = "com.foo.stock"
ONE, TWO, THREE = (
    ServiceRecord(f"/{name}", f"local://{name}", (IFACE,)) for name in ("one", "two", "three")
)
#: A stand-in for a component, which the hooks only get passed.
COMPONENT: Any = object()


class Last(Balancer):
    """A balancer that chooses the last record, and notes its calls."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def choose(self, records: Sequence[ServiceRecord], key: str | None = None) -> ServiceRecord:
        self.told.append(([record.service for record in records], key))
        return records[-1]

    def observe(
        self, record: ServiceRecord, latency: float | None, error: BaseException | None
    ) -> None:
        self.told.append((record.service, latency, error))


@pytest.fixture
def balancer() -> Last:
    return Last()


@pytest.fixture
def caller(balancer: Last, make_runtime: MakeRuntime) -> SyncCaller:
    """A caller with that balancer, that knows of three services."""
    plugin = SimpleNamespace(pycom_balancers=hookimpl(lambda: {"last": lambda url: balancer}))
    caller = SyncCaller("local://ns", runtime=make_runtime({"mine": plugin}, balancer="last"))
    caller.records.put((IFACE, None), [ONE, TWO, THREE])
    return caller


@pytest.fixture
def use(caller: SyncCaller, balancer: Last) -> Use:
    """A use of one record, without its notes in the balancer."""
    use = choose(caller, [ONE], IFACE)
    balancer.told.clear()
    return use


# What it is made of.


def test_replicas(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(nameserver=("local://a", "local://b"))
    assert SyncCaller(runtime=runtime).nameservers == ["local://a", "local://b"]
    assert SyncCaller("local://c", runtime=runtime).nameservers == ["local://c"]
    given = ["local://d", "local://e"]
    caller = SyncCaller(given, runtime=runtime)
    caller.nameservers.reverse()
    assert given == ["local://d", "local://e"], "the list is the caller's own"


@pytest.mark.parametrize("kind", [Context, AsyncContext])
def test_no_replicas(kind: type[SyncCaller], make_runtime: MakeRuntime) -> None:
    with pytest.raises(ConfigurationError, match="empty list"):
        kind([], runtime=make_runtime())


# Until when.


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that deadlines are read from."""
    clock = Clock()
    monkeypatch.setattr(calling, "time", SimpleNamespace(monotonic=clock.now))
    return clock


@pytest.mark.parametrize(("timeout", "left"), [(None, 5000), (70, 70), (0, 0), (9000, 9000)])
def test_timeout_without_a_deadline(timeout: float | None, left: float, caller: SyncCaller) -> None:
    assert caller.time_left(timeout) == left


def test_timeout_of_the_context_is_the_default(make_runtime: MakeRuntime) -> None:
    caller = SyncCaller(timeout=123, runtime=make_runtime())
    assert (caller.time_left(None), caller.time_left(7)) == (123, 7)


@pytest.mark.parametrize("timeout", [None, math.inf])
def test_context_without_a_timeout(timeout: Any, make_runtime: MakeRuntime, clock: Clock) -> None:
    caller = SyncCaller(timeout=timeout, runtime=make_runtime())
    assert caller.timeout == timeout
    assert (caller.time_left(None), caller.time_left(7)) == (math.inf, 7)
    caller.deadline = clock.now() + 2
    assert (caller.time_left(None), caller.time_left(math.inf)) == (2000, 2000)
    caller.deadline, caller.timeout = None, 80
    assert caller.time_left(None) == 80
    caller.timeout = None
    assert caller.time_left(None) == math.inf


@pytest.mark.parametrize(("timeout", "error"), [(math.nan, ValueError), ("5", TypeError)])
@pytest.mark.parametrize("kind", [Context, AsyncContext])
def test_what_is_no_timeout(
    kind: type[SyncCaller], timeout: Any, error: type[Exception], make_runtime: MakeRuntime
) -> None:
    with pytest.raises(error):
        kind(timeout=timeout, runtime=make_runtime())


@pytest.mark.parametrize(("timeout", "left"), [(None, 2000), (9000, 2000), (70, 70)])
def test_whichever_ends_first(
    timeout: float | None, left: float, caller: SyncCaller, clock: Clock
) -> None:
    caller.deadline = clock.now() + 2
    assert caller.time_left(timeout) == left


@pytest.mark.parametrize("late", [0, 0.001, 60])
def test_no_time_left(late: float, caller: SyncCaller, clock: Clock) -> None:
    caller.deadline = clock.now()
    clock.advance(late)
    with pytest.raises(DeadlineExceeded):
        caller.time_left(5000)


# Who calls, through which hooks.


def test_token_goes_with_the_request(caller: SyncCaller) -> None:
    request = Request(IFACE, "bar", extensions={"a": 1})
    assert caller.before_call(COMPONENT, request).extensions == {"a": 1}
    caller.token = "secret"
    assert caller.before_call(COMPONENT, request) is request
    assert request.extensions == {"a": 1, constants.AUTH_EXTENSION: "secret"}


def test_token_of_the_context_replaces_another(caller: SyncCaller) -> None:
    caller.token = "mine"
    request = Request(IFACE, "bar", extensions={constants.AUTH_EXTENSION: "another"})
    assert caller.before_call(COMPONENT, request).extensions == {constants.AUTH_EXTENSION: "mine"}


def test_hooks_see_the_token_and_may_replace_the_request(caller: SyncCaller) -> None:
    caller.token = "secret"
    replacement = Request(IFACE, "other")

    def replace(component: Any, data: Request) -> Request:
        assert component is COMPONENT
        assert data.extensions[constants.AUTH_EXTENSION] == "secret"
        return replacement

    caller.prehooks.append(replace)
    assert caller.before_call(COMPONENT, Request(IFACE, "bar")) is replacement


@pytest.mark.parametrize("replacement", [0, "", [], False])
def test_only_none_leaves_the_data(replacement: Any, caller: SyncCaller) -> None:
    caller.prehooks.append(lambda component, data: replacement)
    caller.posthooks.append(lambda component, data: replacement)
    caller.prehooks.append(lambda component, data: None)
    caller.posthooks.append(lambda component, data: None)
    assert caller.before_call(COMPONENT, Request(IFACE, "bar")) is replacement
    assert caller.after_call(COMPONENT, Response(None)) is replacement


def test_hooks_of_plugins_are_next_to_the_wire(make_runtime: MakeRuntime) -> None:
    seen: list[Any] = []

    def noting(name: str, result: Any = None) -> Callable[..., Any]:
        def hook(component: Any, data: Any) -> Any:
            seen.append((name, data))
            return result

        return hook

    plugin = SimpleNamespace(
        pycom_client_prehook=hookimpl(noting("plugin before")),
        pycom_client_posthook=hookimpl(noting("plugin after")),
    )
    caller = SyncCaller(runtime=make_runtime({"mine": plugin}))
    request, sent = Request(IFACE, "bar"), Request(IFACE, "sent")
    response, seen_by_caller = Response(None), Response(None)
    caller.prehooks += [noting("first"), noting("second", sent)]
    caller.posthooks += [noting("third", seen_by_caller), noting("fourth")]
    assert caller.before_call(COMPONENT, request) is sent
    assert caller.after_call(COMPONENT, response) is seen_by_caller
    assert seen == [
        ("first", request),
        ("second", request),
        ("plugin before", sent),
        ("plugin after", response),
        ("third", response),
        ("fourth", seen_by_caller),
    ]


# Whom.


def test_chosen_for_its_interface(caller: SyncCaller, balancer: Last) -> None:
    use = choose(caller, [ONE, TWO], IFACE)
    assert (use.record, use.address) == (TWO, "local://two")
    assert balancer.told == [(["/one", "/two"], IFACE)]


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        ([TWO], ["/two"]),
        ([THREE, ONE], ["/three", "/one"]),
        ([ServiceRecord("/two", "local://moved", (IFACE,)), ONE], ["/one"]),
        ([], ["/one", "/two", "/three"]),
        ([ServiceRecord("/gone", "local://gone", (IFACE,))], ["/one", "/two", "/three"]),
    ],
)
def test_chosen_again_of_those_that_are_still_there(
    before: list[ServiceRecord], asked: list[str], caller: SyncCaller, balancer: Last
) -> None:
    choose_again(caller, before, [ONE, TWO, THREE], IFACE)
    assert balancer.told == [(asked, IFACE)]


def test_each_call_is_a_choice_and_an_observation(use: Use, balancer: Last) -> None:
    error = AccessDenied()
    use.begin()
    use.end(0.25, None)
    assert balancer.told == [("/one", 0.25, None)], "choosing was the first call's choice"
    use.begin()
    use.end(0.5, error)
    assert balancer.told[1:] == [(["/one"], None), ("/one", 0.5, error)]


def test_call_that_was_given_up_says_nothing_of_its_service(
    caller: SyncCaller, use: Use, balancer: Last
) -> None:
    component = RemoteClient(IFACE, use.address, None, caller, use)
    talk = conversations.invoke_with_request(component, Request(IFACE, "bar"), None)
    next(talk)
    with pytest.raises(CallCancelled, match="^com.foo.+.bar of /one: Given up$"):
        talk.throw(CallCancelled("Given up"))
    assert balancer.told == [("/one", None, None)]
    assert caller.records.get((IFACE, None)) == [ONE, TWO, THREE]


def test_calls_side_by_side(use: Use, balancer: Last) -> None:
    use.begin()
    use.begin()
    use.end(1, None)
    use.end(2, None)
    assert balancer.told == [(["/one"], None), ("/one", 1, None), ("/one", 2, None)]


def test_choice_that_no_call_followed_is_taken_back_once(use: Use, balancer: Last) -> None:
    use.release()
    use.release()
    assert balancer.told == [("/one", None, None)]


def test_choice_that_was_used_is_not_taken_back(use: Use, balancer: Last) -> None:
    use.begin()
    use.end(1, None)
    del balancer.told[:]
    use.release()
    assert balancer.told == []


def test_call_after_the_release_is_a_choice_of_its_own(use: Use, balancer: Last) -> None:
    use.release()
    use.begin()
    assert balancer.told[1:] == [(["/one"], None)]


@pytest.mark.parametrize("error", [ServiceNotAvailable(), CallTimeout()])
def test_service_that_failed_is_not_found_any_more(
    error: ServiceNotAvailable, use: Use, caller: SyncCaller
) -> None:
    use.begin()
    use.end(1, error)
    assert caller.records.get((IFACE, None)) == [TWO, THREE]


@pytest.mark.parametrize("error", [None, AccessDenied(), DeadlineExceeded(), KeyboardInterrupt()])
def test_service_that_answered_stays(
    error: BaseException | None, use: Use, caller: SyncCaller
) -> None:
    use.begin()
    use.end(1, error)
    assert caller.records.get((IFACE, None)) == [ONE, TWO, THREE]


def test_service_that_failed_over_another_way_is_known_by_its_record(caller: SyncCaller) -> None:
    near = SimpleNamespace(pycom_address=hookimpl(lambda record: "ipc:///near"))
    caller.runtime.plugins.register(near, "near")
    use = choose(caller, [TWO], IFACE)
    assert use.address == "ipc:///near"
    use.end(1, ServiceNotAvailable())
    assert caller.records.get((IFACE, None)) == [ONE, THREE]


def test_service_has_to_prove_the_key_of_its_record_where_keys_are_known(
    caller: SyncCaller,
) -> None:
    key = as_text(bytes(range(32)))
    keyed = attrs.evolve(TWO, metadata={"key": key})
    assert choose(caller, [keyed], IFACE).address == TWO.address
    caller.runtime.keys = cast(Keys, object())
    assert choose(caller, [keyed], IFACE).address == with_key(TWO.address, key)
    assert choose(caller, [TWO], IFACE).address == TWO.address
    near = SimpleNamespace(pycom_address=hookimpl(lambda record: "ipc:///near"))
    caller.runtime.plugins.register(near, "near")
    assert choose(caller, [keyed], IFACE).address == with_key("ipc:///near", key)


# What is known when no nameserver answers.


@interface(IFACE)
class Stock:
    introspection_data: dict[str, Any] = {}  # noqa: RUF012

    @method(results=("size",))
    async def stock(self, request: Request) -> int:
        return 1


class World:
    """A shop and a nameserver, a caller's runtime, and its clock."""

    def __init__(self, make_runtime: MakeRuntime) -> None:
        ServiceServer(["local://one"], [Stock], make_runtime())
        self.names = Directory(record("/one", "local://one", IFACE))
        self.nameserver = ServiceServer(["local://ns"], [self.names], make_runtime())
        self.clock = Clock()
        self.runtime = make_runtime(nameserver=("local://ns",))
        self.runtime.clock = self.clock.now


@pytest.fixture
def world(make_runtime: MakeRuntime) -> World:
    return World(make_runtime)


@pytest.fixture
def locate(world: World) -> Iterator[Callable[[], int]]:
    """Locate the shop and call it, then let the requests in the background be answered."""
    context = Context(runtime=world.runtime)

    def locate() -> int:
        before = set(threading.enumerate())
        with context.locate(IFACE) as component:
            stock: int = component.invoke("stock")["size"]
        for thread in set(threading.enumerate()) - before:
            thread.join()
        return stock

    yield locate
    context.close()


def test_known_services_are_called_without_a_nameserver(
    world: World, locate: Callable[[], int]
) -> None:
    locate()
    world.nameserver.close()
    for _ in range(2):
        world.clock.advance(recordcache.REFRESH)
        assert [locate(), locate()] == [1, 1]
    world.clock.advance(recordcache.LEASE)
    with pytest.raises(ServiceNotFound, match="No nameserver answers"):
        locate()


def test_service_that_the_nameserver_knows_no_more_is_forgotten(
    world: World, locate: Callable[[], int]
) -> None:
    locate()
    world.names.records.clear()
    assert locate() == 1
    world.clock.advance(recordcache.REFRESH)
    assert locate() == 1, "the answer of the nameserver is not waited for"
    with pytest.raises(ServiceNotFound, match="not found"):
        locate()


def test_known_services_are_called_from_asyncio_without_a_nameserver(world: World) -> None:
    async def run() -> None:
        async with AsyncContext(runtime=world.runtime) as context:

            async def locate() -> Any:
                async with context.locate(IFACE) as component:
                    return await component.stock()

            await locate()
            world.nameserver.close()
            world.clock.advance(recordcache.REFRESH)
            assert await locate() == 1
            await asyncio.gather(*context._refreshes)
            assert await locate() == 1

    asyncio.run(run())
