"""Decoded dataclasses have the defaults that their constructors would have set."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any, Generic, TypeVar

import attrs
import msgspec
import pytest
from in_process import MakeRuntime, call

import pycom
from pycom_core import ServiceServer
from pycom_plugins.typed_methods import defaults

T = TypeVar("T")
NAME = "com.foo.addresses"


@dataclasses.dataclass
class Address:
    city: str
    zip: str | None = None
    tags: list[str] = dataclasses.field(default_factory=list)
    country: str = "FR"


@dataclasses.dataclass(frozen=True)
class Frozen:
    a: int = 1


@dataclasses.dataclass(slots=True)
class Slots:
    a: int
    b: int = 2


@dataclasses.dataclass
class Mixed(Slots):
    c: int = 3


@dataclasses.dataclass
class Derived(Address):
    floor: int = 0


@dataclasses.dataclass
class Box(Generic[T]):
    inside: T
    label: str = "box"


@dataclasses.dataclass
class Node:
    next: Node | None = None
    name: str = "node"


@dataclasses.dataclass
class Filled:
    given: int
    filled: str = ""
    counted: int = dataclasses.field(default=0, init=False)

    def __post_init__(self) -> None:
        self.filled = self.filled or "by itself"


@attrs.define
class Person:
    name: str
    home: Address | None = None


class Group(msgspec.Struct):
    people: list[Person]


@pycom.interface(NAME)
class Addresses(pycom.Service):
    @pycom.method
    def one(self, request: Any, address: Address) -> Address:
        assert vars(address).keys() == {"city", "zip", "tags", "country"}
        assert copy.replace(address) == address if hasattr(copy, "replace") else True
        return address

    @pycom.method
    def frozen(self, request: Any, value: Frozen) -> Frozen:
        assert vars(value) == {"a": 1}
        return value

    @pycom.method
    def mixed(self, request: Any, slots: Slots, mixed: Mixed, derived: Derived) -> list[Any]:
        return [slots, mixed, derived]

    @pycom.method
    def generic(self, request: Any, box: Box[Box[int]]) -> Any:
        return box

    @pycom.method
    def recursive(self, request: Any, node: Node) -> Node:
        return node

    @pycom.method
    def filled(self, request: Any, value: Filled) -> Any:
        return vars(value)

    @pycom.method
    def nested(
        self,
        request: Any,
        group: Group,
        table: dict[str, tuple[Address, ...]],
        pair: tuple[int, Frozen],
        maybe: list[Address] | None = None,
    ) -> list[Any]:
        return [group, table, pair, maybe]


FULL = {"city": "Lyon", "zip": None, "tags": [], "country": "FR"}
CITY = {"city": "Lyon"}

CALLS: list[tuple[str, Any, Any]] = [
    ("one", {"address": CITY}, FULL),
    ("one", {"address": {**FULL, "zip": "69001"}}, {**FULL, "zip": "69001"}),
    ("frozen", {"value": {}}, {"a": 1}),
    (
        "mixed",
        {"slots": {"a": 5}, "mixed": {"a": 5, "b": 6}, "derived": CITY},
        [{"a": 5, "b": 2}, {"a": 5, "b": 6, "c": 3}, {**FULL, "floor": 0}],
    ),
    (
        "generic",
        {"box": {"inside": {"inside": 1}}},
        {"inside": {"inside": 1, "label": "box"}, "label": "box"},
    ),
    (
        "recursive",
        {"node": {"next": {}}},
        {"next": {"next": None, "name": "node"}, "name": "node"},
    ),
    ("filled", {"value": {"given": 1}}, {"given": 1, "filled": "by itself"}),
    (
        "nested",
        {
            "group": {"people": [{"name": "Ann", "home": CITY}]},
            "table": {"a": [CITY]},
            "pair": [1, {}],
            "maybe": [CITY],
        },
        [
            {"people": [{"name": "Ann", "home": FULL}]},
            {"a": [FULL]},
            [1, {"a": 1}],
            [FULL],
        ],
    ),
]


@pytest.mark.parametrize(("method", "args", "result"), CALLS)
def test_defaults_come_back(make_runtime: MakeRuntime, method: str, args: Any, result: Any) -> None:
    server = ServiceServer(["local://a"], [Addresses], make_runtime(development=True))
    assert call(server, NAME, method, args) == {"code": 0, "result": result}


def test_arguments_that_are_nested_too_deep(make_runtime: MakeRuntime) -> None:
    server = ServiceServer(["local://a"], [Addresses], make_runtime())
    node: Any = {}
    for _ in range(900):
        node = {"next": node}
    assert call(server, NAME, "recursive", {"node": node})["code"] == 4


def test_only_what_the_class_holds_is_left_out() -> None:
    def names(cls: Any) -> list[str]:
        return [field.name for field in defaults.of_class(cls)]

    assert names(Address) == ["zip", "country"]
    assert names(Box[int]) == ["label"]
    assert names(Slots) == []
    assert names(Mixed) == ["c"]
    assert names(Filled) == ["filled"]
    assert names(Person) == names(Group) == names(int) == names(Any) == []
