"""Conversations with nameservers: the requests, and the replica that gets them."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Generator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from doubles import SHOP, Directory, Shop
from in_process import MakeRuntime

from pycom_core import (
    AccessDenied,
    AsyncContext,
    CallCancelled,
    CallTimeout,
    Context,
    DeadlineExceeded,
    MethodNotFound,
    RemoteError,
    Runtime,
    ServiceNotAvailable,
    ServiceNotFound,
    ServiceServer,
    constants,
    hookimpl,
)
from pycom_core.client import _conversations as conversations
from pycom_core.client._async_component import AsyncClient
from pycom_core.client._conversations import nameserver_address, pass_over
from pycom_core.client._drivers import drive
from pycom_core.client._nameserver import Nameserver
from pycom_core.client.discovery._records import find_arguments, list_arguments
from pycom_core.records import ServiceRecord
from pycom_core.transport import Channel
from pycom_core.transport._pool import Pool

IFACE = "com.foo.shop"
FOUND = {"service": "/one", "address": "tcp://one:1", "interfaces": [IFACE, "com.foo.till"]}
ONE = ServiceRecord("/one", "tcp://one:1", (IFACE, "com.foo.till"))


class Replica(Channel):
    """A nameserver with prepared answers, which remembers its requests."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, Any]] = []
        self.timeouts: list[float] = []

    def exchange(self, payload: Any, timeout: float) -> list[Any]:
        request = json.loads(payload[1])
        assert request["interface"] == constants.NS_INTERFACE
        self.asked.append((request["method"], request["args"]))
        self.timeouts.append(timeout)
        answer = self.answers.pop(0)
        if isinstance(answer, RemoteError):
            body = {"code": answer.code, "error": str(answer)}
        elif isinstance(answer, BaseException):
            raise answer
        else:
            body = {"code": 0, "result": answer}
        return [b"OK", json.dumps(body).encode()]

    def is_alive(self) -> bool:
        return True

    def close(self) -> None:
        pass


def down() -> Replica:
    """A replica that does not answer."""
    return Replica(*[ServiceNotAvailable("down")] * 9)


@pytest.fixture
def asking(make_runtime: MakeRuntime) -> Iterator[Callable[..., Nameserver]]:
    """The nameserver of a context that has these replicas, by address."""
    made: list[Context] = []

    def make(timeout: float = 4000, **replicas: Replica) -> Nameserver:
        context = Context(list(replicas), timeout=timeout, runtime=make_runtime())
        context.pool = Pool(lambda address: replicas[address])
        made.append(context)
        return Nameserver(context)

    yield make
    for context in made:
        context.close()


Asking = Callable[..., Nameserver]


def find(nameserver: Nameserver, interface: str, service: str | None = None) -> Any:
    """Return the records that a context finds to locate an interface."""
    owner = nameserver._owner
    return drive(conversations.find(owner, (interface, service)), owner.pool)


# What is asked.


def test_find(asking: Asking) -> None:
    replica = Replica([FOUND], [FOUND])
    nameserver = asking(a=replica)
    assert find(nameserver, IFACE) == [ONE]
    assert find(nameserver, IFACE, "/one") == [ONE]
    assert replica.asked == [
        ("find", {"interface": IFACE, "service": None}),
        ("find", {"interface": IFACE, "service": "/one"}),
    ]


def test_nameserver_without_find_is_asked_as_of_old(asking: Asking) -> None:
    replica = Replica(MethodNotFound(), [FOUND])
    assert find(asking(a=replica), IFACE, "/one") == [ONE]
    assert replica.asked == [
        ("find", find_arguments(IFACE, "/one")),
        ("list_services", list_arguments(IFACE, "/one")),
    ]


def test_other_errors_are_final(asking: Asking) -> None:
    replica = Replica(AccessDenied("not you"))
    with pytest.raises(AccessDenied, match="not you"):
        find(asking(a=replica), IFACE)
    assert len(replica.asked) == 1


def test_answer_that_holds_no_records(asking: Asking) -> None:
    with pytest.raises(ServiceNotAvailable, match="The nameserver sent no records: "):
        find(asking(a=Replica([FOUND, {}])), IFACE)


# Whom it is asked of.


def test_replicas_share_the_timeout(asking: Asking) -> None:
    one, two = down(), Replica({}, {}, {}, {})
    nameserver = asking(a=one, b=two)
    nameserver.invoke("stat")
    assert (one.timeouts, two.timeouts) == ([2000], [2000])
    nameserver.invoke("stat", timeout=100)
    assert two.timeouts[-1] == 50
    nameserver.with_timeout(70).invoke("stat")
    assert two.timeouts[-1] == 35


@pytest.mark.parametrize("timeout", [None, math.inf, 1e300])
def test_no_replica_is_waited_for_without_end(timeout: Any, asking: Asking) -> None:
    one, two = down(), Replica({}, {})
    nameserver = asking(a=one, b=two)
    nameserver.with_timeout(timeout).invoke("stat")
    assert (one.timeouts, two.timeouts) == ([2500], [2500])


def test_error_is_an_answer_and_passes_nobody_over(asking: Asking) -> None:
    one, two = Replica(AccessDenied()), Replica()
    nameserver = asking(a=one, b=two)
    with pytest.raises(AccessDenied):
        nameserver.invoke("stat")
    assert nameserver._owner.nameservers == ["a", "b"]
    assert two.asked == []


@pytest.mark.parametrize("error", [ServiceNotAvailable("broke"), CallTimeout("broke")])
def test_next_replica_is_asked_for_one_that_fails(error: Exception, asking: Asking) -> None:
    nameserver = asking(a=Replica(error), b=Replica([FOUND]), c=Replica())
    assert find(nameserver, IFACE) == [ONE]
    assert nameserver._owner.nameservers == ["b", "c", "a"]


def test_no_other_is_asked_once_the_caller_is_given_up(asking: Asking) -> None:
    other = Replica([FOUND])
    with pytest.raises(CallCancelled):
        find(asking(a=Replica(CallCancelled()), b=other), IFACE)
    assert other.asked == []


def test_all_are_asked_once_and_each_is_named(asking: Asking) -> None:
    replicas = {
        name: Replica(ServiceNotAvailable(f"{name} is down")) for name in ("one", "two", "three")
    }
    nameserver = asking(**replicas)
    with pytest.raises(
        ServiceNotFound, match="No nameserver answers: one is down; two is down; three is down"
    ):
        nameserver.invoke("stat")
    assert [len(replica.asked) for replica in replicas.values()] == [1, 1, 1]
    assert nameserver._owner.nameservers == ["one", "two", "three"]


def test_exceptions_that_are_not_of_the_network_pass(asking: Asking) -> None:
    second = Replica()
    with pytest.raises(KeyboardInterrupt):
        asking(a=Replica(KeyboardInterrupt()), b=second).invoke("stat")
    assert second.asked == []


def test_past_the_deadline_nobody_is_asked(asking: Asking) -> None:
    replica = Replica()
    nameserver = asking(a=replica)
    nameserver._owner.deadline = 0.0
    with pytest.raises(DeadlineExceeded):
        find(nameserver, IFACE)
    assert replica.asked == []


@pytest.mark.parametrize(
    ("address", "after"), [("a", ["b", "c", "a"]), ("b", ["a", "c", "b"]), ("c", ["a", "b", "c"])]
)
def test_pass_over(address: str, after: list[str]) -> None:
    replicas = same = ["a", "b", "c"]
    pass_over(replicas, address)
    assert same == after, "the list itself changes"


def test_pass_over_loses_none_that_another_thread_moves_meanwhile() -> None:
    class Moved(str):
        """An address whose list is reordered at each comparison."""

        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            replicas.append(replicas.pop(0))
            return str.__eq__(self, other)

        def __ne__(self, other: object) -> bool:
            return not self == other

    replicas: list[str] = ["a", "b", "c"]
    pass_over(replicas, Moved("b"))
    assert sorted(replicas) == ["a", "b", "c"]


# The hooks of a call.


@pytest.mark.parametrize("kind", [Context, AsyncContext])
def test_wrapper_of_a_call_is_around_all_other_hooks(kind: Any, make_runtime: MakeRuntime) -> None:
    seen: list[str] = []

    @hookimpl(wrapper=True)
    def pycom_client_invoke() -> Generator[None, Any, Any]:
        seen.append("begin")
        response = yield
        seen.append("end")
        return response

    mine = SimpleNamespace(
        pycom_client_invoke=pycom_client_invoke,
        pycom_client_prehook=hookimpl(lambda: seen.append("plugin's prehook")),
        pycom_client_posthook=hookimpl(lambda: seen.append("plugin's posthook")),
    )
    ServiceServer(["local://a"], [Shop()], make_runtime())
    context = kind(runtime=make_runtime({"mine": mine}))
    context.prehooks.append(lambda component, request: seen.append("prehook"))
    context.posthooks.append(lambda component, response: seen.append("posthook"))

    async def ask() -> Any:
        return await AsyncClient("local://a", SHOP, context).invoke("who")

    if kind is AsyncContext:
        assert asyncio.run(ask()) == "shop"
    else:
        assert context.connect("local://a", SHOP).invoke("who") == "shop"
    context.close()
    before = ["begin", "prehook", "plugin's prehook"]
    assert seen == [*before, "plugin's posthook", "posthook", "end"]


# Where it is.


def address_of(runtime: Runtime, nameserver: str) -> str:
    return nameserver_address(Context(runtime=runtime), nameserver)


def test_address_stands_for_itself(make_runtime: MakeRuntime) -> None:
    assert address_of(make_runtime(), "tcp://10.0.0.1:2012") == "tcp://10.0.0.1:2012"


def test_nameserver_of_the_process_is_found_by_its_interface(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    ServiceServer(["local://a"], [], runtime)
    with pytest.raises(ServiceNotAvailable, match="name the address of one"):
        address_of(runtime, constants.NS_NAME_LOCAL)
    ServiceServer(["local://b", "local://c"], [Directory], runtime)
    assert address_of(runtime, constants.NS_NAME_LOCAL) == "local://b"


def test_no_nameserver_in_the_process_is_a_replica_that_does_not_answer(asking: Asking) -> None:
    replica = Replica({})
    nameserver = asking(**{constants.NS_NAME_LOCAL: down(), "a": replica})
    assert nameserver.invoke("stat") == {}
    assert nameserver._owner.nameservers == ["a", constants.NS_NAME_LOCAL]
