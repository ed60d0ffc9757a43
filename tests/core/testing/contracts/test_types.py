"""The contract of type codecs finds broken codecs: each of its tests fails for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest
from core.testing.contracts.suites import failing, passes, suite_of

from pycom_core import TypeCodec
from pycom_core.testing import SampleObjects, TypeCodecContract

SCHEMA_TESTS = {"test_schema_is_one"}


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and self.cents == other.cents

    def __hash__(self) -> int:
        return hash(self.cents)


class Euros(Money):
    pass


class Cents(TypeCodec):
    def decode(self, cls: Any, value: Any) -> Any:
        if type(value) is not int:
            raise ValueError("no cents")
        return cls(value)

    def encode(self, value: Any) -> Any:
        return value.cents

    def schema(self, cls: Any, result: bool) -> Mapping[str, Any]:
        return {"$ref": "#/$defs/Cents", "$defs": {"Cents": {"type": "integer"}}}


class OneClass(Cents):
    def decode(self, cls: Any, value: Any) -> Any:
        return super().decode(Money, value)


class Lossy(Cents):
    def encode(self, value: Any) -> Any:
        return value.cents // 100


class Opaque(Cents):
    def encode(self, value: Any) -> Any:
        return complex(value.cents)


class Counting(Cents):
    def encode(self, value: Any) -> Any:
        value.cents += 1
        return value.cents


class Credulous(Cents):
    def decode(self, cls: Any, value: Any) -> Any:
        return cls(value if type(value) is int else 0)


class Careless(Cents):
    def decode(self, cls: Any, value: Any) -> Any:
        return cls({0: 0, 150: 150, 200: 200}[value] if value != "x" else int(value))


class Passing(Cents):
    def decode(self, cls: Any, value: Any) -> Any:
        return value if value is None else super().decode(cls, value)


class Dangling(Cents):
    def schema(self, cls: Any, result: bool) -> Mapping[str, Any]:
        return {"items": [{"$ref": "#/$defs/Nothing"}]} if result else {}


class NoJson(Cents):
    def schema(self, cls: Any, result: bool) -> Mapping[str, Any]:
        return {"type": int}


@attrs.frozen
class Known:
    """Travels without a codec."""


class Useless(Cents):
    """Of a class that needs none."""


def sample(codec: Callable[[], TypeCodec]) -> Mapping[str, Any]:
    objects = [Known()] if codec is Useless else [Money(150), Euros(200)]
    return {"sample": SampleObjects(codec(), objects, [(Money, "x")]), "result": True}


BROKEN: dict[str, tuple[type[Cents], set[str]]] = {
    "knows one class only": (
        OneClass,
        {"test_objects_survive", "test_any_value_is_decoded_or_refused"},
    ),
    "loses something": (Lossy, {"test_objects_survive"}),
    "gives no JSON": (Opaque, {"test_objects_survive", "test_encoding_changes_nothing"}),
    "changes the object": (Counting, {"test_encoding_changes_nothing"}),
    "takes anything": (Credulous, {"test_wrong_values_are_refused"}),
    "fails otherwise": (Careless, {"test_any_value_is_decoded_or_refused"}),
    "gives another thing": (Passing, {"test_any_value_is_decoded_or_refused"}),
    "refers to nothing": (Dangling, SCHEMA_TESTS),
    "schema that is no JSON": (NoJson, SCHEMA_TESTS),
    "is not needed": (
        Useless,
        {
            *("test_is_fit_for_its_classes", "test_objects_survive"),
            "test_encoding_changes_nothing",
        },
    ),
}


def test_good_codec_passes() -> None:
    assert failing(TypeCodecContract, lambda: sample(Cents)) == set()


@pytest.mark.parametrize(("codec", "failures"), BROKEN.values(), ids=BROKEN)
def test_broken_codec_fails(codec: type[Cents], failures: set[str]) -> None:
    assert failing(TypeCodecContract, lambda: sample(codec)) == failures


def test_every_test_can_fail() -> None:
    assert set().union(*(failures for _, failures in BROKEN.values())) == suite_of(
        TypeCodecContract
    )


def test_without_objects() -> None:
    empty = {"sample": SampleObjects(Cents(), [])}
    assert not passes(TypeCodecContract().test_is_fit_for_its_classes, empty)
