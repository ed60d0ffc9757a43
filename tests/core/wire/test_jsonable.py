"""Values that JSON does not have: each gets a substitute, or a TypeError that names its place."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import json
import math
import pathlib
import types
import uuid
from typing import Any, NamedTuple

import attrs
import markupsafe
import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pycom_core.wire import _codec as codec


def sub(base: type) -> Any:
    return type(f"Sub{base.__name__.title()}", (base,), {})


def name_of(value: Any) -> str:
    return type(value).__name__


def wire(value: Any) -> Any:
    """Return a value as it arrives on the wire, read as strict JSON."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    encoded = codec.dict_to_wire({"value": value}, with_version=False)
    return json.loads(encoded.decode("utf-8"), parse_constant=refuse)["value"]


class Text(str, enum.Enum):
    A = "a"


class Number(enum.IntEnum):
    ONE = 1


class Bits(enum.IntFlag):
    A = 1
    B = 2


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Data:
    x: Any
    y: int = 2


@attrs.define
class Attrs:
    x: Any
    y: int = 2


class Struct(msgspec.Struct):
    x: Any
    y: int = 2


class Tuple(NamedTuple):
    x: Any
    y: int = 2


NOON = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.timezone.utc)

#: What `json` takes too, and so did 0.6.0.
AS_JSON_DOES: list[Any] = [
    sub(str)("a"),
    sub(int)(3),
    sub(int)(-(2**70)),
    sub(float)(1.5),
    sub(list)([1]),
    sub(tuple)([1]),
    sub(dict)(a=1),
    markupsafe.Markup("<b>&amp;</b>"),
    np.float64(0.1),
    np.str_("a"),
    Text.A,
    Number.ONE,
    Bits.A | Bits.B,
    Bits(0),
    Tuple(1),
    collections.OrderedDict(b=1, a=2),
    collections.defaultdict(int, a=1),
    collections.Counter("aab"),
    10**400,
    -(10**30),
    -0.0,
    "\ud800",
    {"\ud800": ["\udfff", sub(str)("\ud800")]},
    {None: 1, True: 2, False: 3, 4: 5, 1.5: 6, "a": 7},
    {sub(str)("a"): 1, sub(int)(2): 1, sub(float)(2.5): 1, np.float64(0.5): 1},
    {Number.ONE: 1, Text.A: 2},
    {None: "\ud800", True: 2, 4: "1"},
    {markupsafe.Markup("a"): {None: [{True: np.float64(1)}]}},
]


@pytest.mark.parametrize("value", AS_JSON_DOES, ids=name_of)
def test_what_json_takes_travels_as_json_does_it(value: Any) -> None:
    found, expected = wire(value), json.loads(json.dumps(value))
    assert found == expected
    assert repr(found) == repr(expected)  # -0.0, True and 1


MORE: list[tuple[Any, Any]] = [
    (Color.RED, "red"),
    (decimal.Decimal("1.50"), "1.50"),
    (NOON, "2026-11-01T12:00:00Z"),
    (NOON.date(), "2026-11-01"),
    (NOON.time(), "12:00:00"),
    (datetime.timedelta(minutes=1), "PT60S"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (b"ab", "YWI="),
    (bytearray(b"ab"), "YWI="),
    (memoryview(b"ab"), "YWI="),
    ({1}, [1]),
    (frozenset([1]), [1]),
    (Data(1), {"x": 1, "y": 2}),
    (Attrs(1), {"x": 1, "y": 2}),
    (Struct(1), {"x": 1, "y": 2}),
    ({uuid.UUID(int=1): 1, NOON.date(): 2, Color.RED: 3}, {
        "00000000-0000-0000-0000-000000000001": 1, "2026-11-01": 2, "red": 3
    }),
    # What msgspec leaves to us.
    (sub(datetime.datetime)(2026, 11, 1, 12, tzinfo=datetime.timezone.utc), "2026-11-01T12:00:00Z"),
    (sub(datetime.date)(2026, 11, 1), "2026-11-01"),
    (sub(datetime.time)(12, 0, tzinfo=datetime.timezone.utc), "12:00:00Z"),
    (sub(datetime.timedelta)(minutes=1), "PT60S"),
    (sub(decimal.Decimal)("1.50"), "1.50"),
    (sub(uuid.UUID)(int=1), "00000000-0000-0000-0000-000000000001"),
    (sub(bytes)(b"ab"), "YWI="),
    (sub(bytearray)(b"ab"), "YWI="),
    (sub(set)([1]), [1]),
    (collections.deque([1, sub(str)("a")]), [1, "a"]),
    (range(3), [0, 1, 2]),
    ({"a": 1}.keys(), ["a"]),
    (types.MappingProxyType({None: 1}), {"null": 1}),
    (collections.ChainMap({"a": 1}, {"b": 2}), {"a": 1, "b": 2}),
    (collections.UserDict({"a": 1}), {"a": 1}),
    (collections.UserList([1]), [1]),
    (collections.UserString("a"), "a"),
    (np.int64(3), 3),
    (np.uint8(3), 3),
    (np.float32(1.5), 1.5),
    (np.bool_(True), True),
    (np.array(3), 3),
    (np.array([[1.5, math.nan]]), [[1.5, None]]),
    (np.zeros((0, 3)), []),
    (np.longdouble(1.5), 1.5),
    (np.array([[1.5, math.nan]], dtype=np.longdouble), [[1.5, None]]),
    ({np.longdouble(1.5): 1}, {"1.5": 1}),
    (np.array(["a"]), ["a"]),
    ({np.int64(3): np.bool_(False)}, {"3": False}),
    # JSON has no words for these.
    (math.nan, None),
    (math.inf, None),
    (-math.inf, None),
    (sub(float)("nan"), None),
    (np.float64("nan"), None),
    ([math.nan, "\ud800", {"\ud800": [-math.inf, sub(float)("inf"), np.float32("nan")]}], [
        None, "\ud800", {"\ud800": [None, None, None]}
    ]),
    (Data("\ud800", math.nan), {"x": "\ud800", "y": None}),  # type: ignore[arg-type]
]  # fmt: skip


def shown(value: object) -> str:
    return repr(value).partition(" at 0x")[0]  # names of tests are the same in every process


@pytest.mark.parametrize(
    ("value", "expected"), [case for case in MORE if case[1] is not TypeError], ids=shown
)
def test_more_than_json_takes(value: Any, expected: Any) -> None:
    assert wire(value) == expected


def itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def nested(depth: int, value: Any = None) -> Any:
    for _ in range(depth):
        value = [value]
    return value


REFUSED: list[tuple[Any, str]] = [
    (object(), "value: object is nothing that JSON knows"),
    (fractions.Fraction(1, 2), "value: fractions.Fraction is nothing that JSON knows"),
    (1j, "value: complex is nothing"),
    (int, "value: type is nothing"),
    (iter("a"), "value: str_ascii_iterator is nothing|value: str_iterator is nothing"),
    (pathlib.Path("a"), r"value: pathlib\S*\.PosixPath is nothing"),
    (ValueError("x"), "value: ValueError is nothing"),
    (types.SimpleNamespace(a=1), "value: types.SimpleNamespace is nothing"),
    (np.datetime64("2026-11-01"), "value: numpy.datetime64 is nothing"),
    (np.array([object()]), "value: numpy.ndarray is nothing"),
    ([1, {"items": [{}, {"price": 1j}]}], r"value\[1\]\.items\[1\]\.price: complex is nothing"),
    ({"a": 1, "b c": 1j}, r"value\['b c'\]: complex"),
    ({1: {2.5: 1j}}, r"value\[1\]\[2\.5\]: complex"),
    (Data([Attrs(Struct(Tuple(1j)))]), r"value\.x\[0\]\.x\.x\[0\]: complex"),  # type: ignore[arg-type]
    (collections.deque([types.MappingProxyType({"a": 1j})]), r"value\[0\]\.a: complex"),
    ([{(1, 2): 3}], r"value\[0\], key \(1, 2\): tuple cannot be a key"),
    ({"a": {frozenset([1]): 3}}, r"value\.a, key frozenset\(\{1\}\): frozenset cannot be a key"),
    ({range(3): 1}, r"value, key range\(0, 3\): list cannot be a key"),
    ({1j: 1}, "value, key 1j: complex is nothing"),
    (["\ud800", {(1, 2): 3}], r"value\[1\], key \(1, 2\): tuple cannot"),
    (["\ud800", 1j], r"value\[1\]: complex"),
    ([10**5000], r"value\[0\]: Exceeds the limit"),
    (itself(), "value: nested too deep, or part of itself"),
    ({"a": itself()}, "value: nested too deep"),
    ([object(), itself()], r"value\[0\]: object"),
    (nested(100_000), "value: nested too deep"),
    (nested(50, 1j), r"value(\[0\]){50}: complex"),
]


@pytest.mark.parametrize(("value", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_what_json_cannot_hold_is_a_type_error_that_says_where(value: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"^(?:{message})"):
        codec.dict_to_wire({"value": value})


def test_what_fails_while_it_is_encoded_is_the_cause() -> None:
    class Broken(collections.UserDict[str, int]):
        def __iter__(self) -> Any:
            raise OSError("no such disk")

    with pytest.raises(TypeError, match=r"value\[0\]: no such disk") as caught:
        codec.dict_to_wire({"value": [Broken(a=1)]})
    assert isinstance(caught.value.__cause__, OSError)


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=3)
    | st.decimals()
    | st.datetimes()
    | st.timedeltas()
    | st.uuids()
    | st.binary(max_size=3)
    | st.complex_numbers()
    | st.fractions()
    | st.sampled_from([Text.A, Number.ONE, Bits.A, Color.RED, int, object()])
    | st.sampled_from([np.float64(0.5), np.int8(3), np.bool_(False), np.zeros((0, 3))])
    | st.builds(sub(str), st.text(max_size=3))
    | st.builds(sub(int), st.integers())
    | st.builds(sub(float), st.floats()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.builds(collections.deque, st.lists(inner, max_size=2))
        | st.builds(Data, inner)
        | st.builds(Attrs, inner)
        | st.builds(Tuple, inner)
        | st.dictionaries(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text(st.characters(exclude_categories=()), max_size=2)
            | st.tuples(st.integers())
            | st.uuids()
            | st.dates(),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(ODD)
@example(["\ud800", math.nan, {None: np.float64("inf")}])
def test_any_value_is_json_on_the_wire_or_a_type_error(value: Any) -> None:
    try:
        wire(value)
    except TypeError as error:
        message = str(error)
    else:
        message = "value"
    assert message.startswith("value")
