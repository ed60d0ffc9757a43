"""The service that others are found through, in the process of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from in_process import call

from pycom_core import LocalTransport, Runtime, ServiceServer, Settings, constants
from pycom_core.settings import Plugins
from pycom_core.testing import Clock
from pycom_plugins.nameserver.service import TTL, NameServer

ONE = {
    "service": "/com/one",
    "address": "tcp://10.0.0.1:2013",
    "interfaces": ["com.foo", "com.bar"],
}
TWO = {"service": "/com/two", "address": "tcp://10.0.0.2:2013", "interfaces": ["com.foo"]}

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=[(), ("typed_methods",)], ids=["typed", "checked by itself"])
def ask(clock: Clock, request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Asks a nameserver: the whole answer to a call of a method with these arguments."""
    settings = Settings(balancer="round-robin", plugins=Plugins(disable=request.param))
    runtime = Runtime(settings, transport=LocalTransport(), clock=clock.now)
    server = ServiceServer(["local://ns"], [NameServer()], runtime)
    yield lambda method, **args: call(server, constants.NS_INTERFACE, method, args)
    runtime.close()


@pytest.fixture
def register(ask: Ask) -> Callable[[dict[str, Any]], None]:
    """Registers a record, with success."""

    def register(record: dict[str, Any]) -> None:
        assert ask("register", **record) == {"code": 0, "result": {}}

    return register


Register = Callable[[dict[str, Any]], None]


def services(answer: dict[str, Any]) -> list[str]:
    """Names of the services of an answer, sorted."""
    return sorted(record["service"] for record in answer["result"])


def test_it_is_there(ask: Ask) -> None:
    assert ask("stat") == {"code": 0, "result": {}}


def test_nothing_is_there_at_first(ask: Ask) -> None:
    assert ask("find", interface="com.foo")["result"] == []
    assert ask("list_services")["result"] == []
    assert ask("locate", interface="com.foo")["code"] == 3


def test_found_by_interface_and_by_service(ask: Ask, register: Register) -> None:
    register(ONE)
    register(TWO)
    assert services(ask("find", interface="com.foo")) == ["/com/one", "/com/two"]
    assert services(ask("find", interface="com.bar")) == ["/com/one"]
    assert services(ask("find", interface="com.foo", service="/com/two")) == ["/com/two"]
    assert services(ask("find", interface="com.bar", service="/com/two")) == []
    assert services(ask("find", interface="com.")) == []


def test_located_in_turns_as_the_balancer_likes(ask: Ask, register: Register) -> None:
    register(ONE)
    register(TWO)
    found = [ask("locate", interface="com.foo")["result"] for _ in range(4)]
    assert all(answer in (ONE, TWO) for answer in found)
    assert [answer["service"] for answer in found].count("/com/one") == 2
    assert ask("locate", interface="com.foo", service="/com/two")["result"] == TWO
    assert ask("locate", interface="com.foo", service="/com/x") == {
        "code": 3,
        "error": "Interface not found: com.foo",
    }


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({}, ["/com/none", "/com/one", "/com/two"]),
        ({"interface": None, "service": None}, ["/com/none", "/com/one", "/com/two"]),
        ({"interface": "com"}, ["/com/one", "/com/two"]),
        ({"interface": ""}, ["/com/one", "/com/two"]),
        ({"interface": r"com\.ba"}, ["/com/one"]),
        ({"service": "/com/t"}, ["/com/two"]),
        ({"service": ".*n"}, ["/com/none", "/com/one"]),
        ({"service": ".*n", "interface": ".*foo$"}, ["/com/one"]),
        ({"service": "com"}, []),
    ],
)
def test_listed_by_expressions(
    arguments: dict[str, Any], found: list[str], ask: Ask, register: Register
) -> None:
    for record in (ONE, TWO, {**ONE, "service": "/com/none", "interfaces": []}):
        register(record)
    assert services(ask("list_services", **arguments)) == found


def test_metadata_go_to_those_who_ask_to_find(ask: Ask, register: Register) -> None:
    register({**ONE, "metadata": {"zone": "a"}})
    register({**TWO, "metadata": None})
    found = ask("find", interface="com.foo")["result"]
    assert {one["service"]: one["metadata"] for one in found} == {
        "/com/one": {"zone": "a"},
        "/com/two": {},
    }
    listed = ask("list_services")["result"]
    assert [record.keys() for record in listed] == [ONE.keys(), TWO.keys()]
    assert ask("locate", interface="com.bar")["result"] == ONE


def test_lease_ends_unless_it_is_renewed(ask: Ask, register: Register, clock: Clock) -> None:
    register(ONE)
    register(TWO)
    clock.advance(TTL - 1)
    register(ONE)
    clock.advance(1.5)
    assert services(ask("find", interface="com.foo")) == ["/com/one"]
    assert services(ask("list_services")) == ["/com/one"]


def test_name_is_held_by_one_address(ask: Ask, register: Register, clock: Clock) -> None:
    register(ONE)
    moved = {**ONE, "address": TWO["address"]}
    refused = ask("register", **moved)
    assert refused["code"] == 5
    assert "/com/one already registered" in refused["error"]
    clock.advance(TTL + 1)
    register(moved)
    assert ask("locate", interface="com.bar")["result"] == moved


def test_unregistered_by_the_address_that_holds_the_name(ask: Ask, register: Register) -> None:
    register(ONE)
    another = {"service": ONE["service"], "address": TWO["address"]}
    own = {"service": ONE["service"], "address": ONE["address"]}
    assert ask("unregister", **another) == {"code": 0, "result": {}}
    assert services(ask("list_services")) == ["/com/one"]
    for _ in range(2):
        assert ask("unregister", **own) == {"code": 0, "result": {}}
        assert services(ask("list_services")) == []


@pytest.mark.parametrize(
    "address",
    [
        *(
            "tcp://10.0.0.1:1",
            "tcp://host.example:65535",
            "tcp://[::1]:2013",
            "tcp://[fe80::1%a]:1",
        ),
        *("ipc:///run/one", "ipc://@abstract", "inproc://one"),
    ],
)
def test_addresses(address: str, register: Register) -> None:
    register({**ONE, "address": address})


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *(("address", value) for value in ("", "tcp://*:2013", "tcp://host:65536", "host:1", 1)),
        *(("service", value) for value in ("", "/", "/a b", "/a//b", "/a/", "a\x00", "x" * 1025)),
        *(("interfaces", value) for value in ("com.foo", None, {"com.foo": 1})),
        *(("interfaces", ["com.foo", value]) for value in ("", "a b", "a..b", ".a", "a.", 1)),
        *(("metadata", value) for value in ("text", [], 1)),
    ],
)
def test_what_is_no_record(argument: str, value: Any, ask: Ask) -> None:
    refused = ask("register", **{**ONE, argument: value})
    assert refused["code"] == 4
    assert argument in refused["error"]
    assert len(refused["error"]) < 300
    assert ask("list_services")["result"] == []


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("find", {"interface": 1}),
        ("find", {"interface": None}),
        ("find", {"interface": "com.foo", "service": 1}),
        ("find", {}),
        ("locate", {"interface": []}),
        ("list_services", {"interface": 1}),
        ("list_services", {"service": "("}),
        ("unregister", {"service": 1, "address": "tcp://a:1"}),
        ("unregister", {"service": "/a", "address": None}),
        ("unregister", {"service": "/a"}),
        ("register", {"service": "/a", "address": "tcp://a:1"}),
    ],
)
def test_arguments_that_are_none(method: str, arguments: dict[str, Any], ask: Ask) -> None:
    assert ask(method, **arguments)["code"] == 4
