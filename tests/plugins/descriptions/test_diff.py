"""Changes that break callers, and others."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypedDict

import attrs
import msgspec
import pytest
from plugins.descriptions.describing import NAME, description, with_types

from pycom_plugins.descriptions.description import Description, understand
from pycom_plugins.descriptions.diff import Change, compare


def limited(kind: Any, **limits: Any) -> Any:
    return Annotated[kind, msgspec.Meta(**limits)]


def thing(**fields: Any) -> Any:
    """A class of these fields; the optional ones come with their default."""
    attributes = {
        name: attrs.field(type=type_[0], default=type_[1])
        if isinstance(type_, tuple)
        else attrs.field(type=type_)
        for name, type_ in fields.items()
    }
    return attrs.make_class("Thing", attributes)


class Small(enum.Enum):
    A = "a"


class Large(enum.Enum):
    A = "a"
    B = "b"


class Cat(msgspec.Struct, tag=True):
    lives: int


class Dog(msgspec.Struct, tag=True):
    tricks: int


class Open(msgspec.Struct):
    depth: int


class Closed(msgspec.Struct, forbid_unknown_fields=True):
    depth: int


class Total(TypedDict):
    depth: int


class Partial(TypedDict, total=False):
    depth: int


@attrs.define
class Node:
    value: int
    next: Node | None = None


@attrs.define
class WideNode:
    value: float
    next: WideNode | None = None


@dataclasses.dataclass
class Same:
    value: int
    next: Node | None = None


#: Two types, and whether a change from the first to the second breaks an argument and a result.
#: None: nothing has changed.
TYPES: list[tuple[Any, Any, tuple[bool, bool] | None]] = [
    (int, int, None),
    (int, float, (False, True)),
    (int, str, (True, True)),
    (int, int | None, (False, True)),
    (int, float | None, (False, True)),
    (int | str, int, (True, False)),
    (int | str, str | int, None),
    (int | str, int | list[int], (True, True)),
    (Any, int, (True, False)),
    (int, Any, (False, True)),
    (Any, Any, None),
    (str, datetime.datetime, (True, False)),
    (datetime.date, datetime.datetime, (True, True)),
    (uuid.UUID, str, (False, True)),
    (decimal.Decimal, uuid.UUID, (True, True)),
    (datetime.date | None, datetime.time | None, (True, True)),
    (bytes, str, (False, True)),
    (limited(int, ge=1), limited(int, ge=2), (True, False)),
    (limited(int, ge=1), limited(float, ge=0), (False, True)),
    (limited(float, gt=1), limited(int, gt=2), (True, False)),
    (limited(int, ge=1), int, (False, True)),
    (int, limited(int, le=1), (True, False)),
    (limited(int, lt=1), limited(int, lt=2), (False, True)),
    (limited(int, ge=1), limited(int, gt=1), (True, True)),
    (int, limited(float, ge=0), (True, True)),
    (limited(str, pattern="a"), limited(str, pattern="b"), (True, True)),
    (limited(str, max_length=2), limited(str, max_length=3), (False, True)),
    (limited(list[int], min_length=1), limited(list[int], min_length=2), (True, False)),
    (list[int], list[float], (False, True)),
    (list[int], set[int], (True, False)),
    (list[int], tuple[int, int], (True, False)),
    (tuple[int, str], tuple[int, int], (True, True)),
    (tuple[int, str], tuple[int, str, str], (True, True)),
    (tuple[int, str], tuple[float, str], (False, True)),
    (dict[str, int], dict[str, float], (False, True)),
    (dict[str, list[int]], dict[str, list[int | None]], (False, True)),
    (Small, Large, (False, True)),
    (Large, Small, (True, False)),
    (Small, str, (False, True)),
    (str, Large, (True, False)),
    (Large, Literal["b", "a"], None),
    (Literal["a", 1], Literal["a", 2], (True, True)),
    (Literal["a", 1], Literal["a"], (True, False)),
    (bool, Literal[True], (True, False)),
    (thing(a=int), thing(a=int), None),
    (thing(a=int), thing(a=float), (False, True)),
    (thing(a=int), thing(a=int, b=int), (True, False)),
    (thing(a=int), thing(a=int, b=(int, 1)), (False, False)),
    (thing(a=int, b=int), thing(a=int), (True, True)),
    (thing(a=int, b=(int, 1)), thing(a=int), (True, True)),
    # A result has the field in either case.
    (thing(a=int), thing(a=(int, 1)), (False, False)),
    (thing(a=(int, 1)), thing(a=int), (True, False)),
    (thing(a=(int, 1)), thing(a=(int, 2)), (False, False)),
    (Total, Partial, (False, True)),
    (Partial, Total, (True, False)),
    (Open, Closed, (True, False)),
    (Closed, Open, (False, True)),
    (thing(a=int), dict[str, int], (True, True)),
    (dict[str, int], thing(a=int), (True, True)),
    (Cat, Dog, (True, True)),
    (Cat, Cat | Dog, (False, True)),
    (Cat | Dog, Cat, (True, False)),
    (Cat | Dog | None, Cat | Dog, (True, False)),
    (list[Cat | Dog], list[Dog | Cat], None),
    (thing(kind=Literal["a"]), thing(kind=Literal["a", "b"]), (False, True)),
    (Node, Node, None),
    (Node, Same, None),
    (Node, WideNode, (False, True)),
    (WideNode, Node, (True, False)),
    (list[Node], list[Node | None], (False, True)),
    (int, Node, (True, True)),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "breaks"), TYPES, ids=str)
def test_types(old: Any, new: Any, breaks: tuple[bool, bool] | None) -> None:
    as_argument = compare(with_types(old, None), with_types(new, None))
    as_result = compare(with_types(None, old), with_types(None, new))
    if breaks is None:
        assert (as_argument, as_result) == ([], [])
        return
    assert as_argument
    for changes, where in ((as_argument, "args.x"), (as_result, "result")):
        assert all(change.where.startswith(where) for change in changes)
    found = tuple(any(one.breaking for one in changes) for changes in (as_argument, as_result))
    assert found == breaks


def base(self, request, a, b, c=1):  # type: ignore[no-untyped-def]
    pass


def fewer(self, request, a, b):  # type: ignore[no-untyped-def]
    pass


def required(self, request, a, b, c):  # type: ignore[no-untyped-def]
    pass


def optional(self, request, a, b=1, c=1):  # type: ignore[no-untyped-def]
    pass


def swapped(self, request, b, a, c=1):  # type: ignore[no-untyped-def]
    pass


def more(self, request, a, b, c=1, d=1):  # type: ignore[no-untyped-def]
    pass


def demanding(self, request, a, b, d, c=1):  # type: ignore[no-untyped-def]
    pass


def typed_base(self, request, a: int, b, c: int = 1) -> int:  # type: ignore[no-untyped-def]
    raise NotImplementedError


def other_default(self, request, a: int, b, c: int = 2) -> int:  # type: ignore[no-untyped-def]
    raise NotImplementedError


METHODS: list[tuple[Callable[..., Any], Callable[..., Any], list[tuple[bool, str, str]]]] = [
    (base, base, []),
    (base, fewer, [(True, "args.c", "removed")]),
    (base, required, [(True, "args.c", "now required")]),
    (base, optional, [(False, "args.b", "now optional")]),
    (base, swapped, [(True, "args", "order a, b → b, a")]),
    (base, more, [(False, "args.d", "added")]),
    (base, demanding, [(True, "args.d", "added, required")]),
    (base, typed_base, [
        (True, "args.a", "Any → int"), (True, "args.c", "Any → int"), (False, "result", "Any → int")
    ]),
    (typed_base, base, [
        (True, "result", "int → Any"),
        (False, "args.a", "int → Any"),
        (False, "args.c", "int → Any"),
    ]),
    (typed_base, other_default, [(False, "args.c", "default 1 → 2")]),
]  # fmt: skip


def named(function: Callable[..., Any]) -> Description:
    found = description(function)
    return attrs.evolve(found, methods={"f": found.methods[function.__name__]})


@pytest.mark.parametrize(("old", "new", "changes"), METHODS)
def test_arguments(old: Any, new: Any, changes: list[tuple[bool, str, str]]) -> None:
    expected = [Change(breaking, "f", where, what) for breaking, where, what in changes]
    assert compare(named(old), named(new)) == expected


def test_methods_and_name() -> None:
    assert compare(description(base), description(base, more)) == [
        Change(False, "more", "", "added")
    ]
    assert compare(description(base, more), description(more)) == [
        Change(True, "base", "", "removed")
    ]
    renamed = attrs.evolve(description(base), name="com.foo.other")
    assert compare(description(base), renamed) == [
        Change(True, "", "name", f"{NAME} → com.foo.other")
    ]


def test_docstrings_count_for_nothing() -> None:
    other = attrs.evolve(description(base), docstring="Better.")
    assert compare(description(base), other) == []


def test_results_and_attachments() -> None:
    def changes(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[bool, str, str]]:
        found = compare(description(base, **old), description(base, **new))
        return [(one.breaking, one.where, one.what) for one in found]

    assert changes({"results": ["x", "y"]}, {"results": ["x", "y"]}) == []
    assert changes({"results": ["x"]}, {"results": ["x", "y"]}) == [(True, "result", "x → x, y")]
    assert changes({"results": ["x", "y"]}, {"results": ["y", "x"]})[0][0]
    assert changes({}, {"results": ["x"]}) == [(True, "result", "unnamed → x")]
    both = {"results": ["x", "y"]}
    assert changes(both, {**both, "attachments": (None, "y")}) == [
        (True, "result", "attachment none → y")
    ]
    assert changes({"attachments": ("a", None)}, {"attachments": ("b", None)}) == [
        (True, "args", "attachment a → b")
    ]


def test_attachment_that_is_added() -> None:
    old = named(base)
    method = attrs.evolve(
        old.methods["f"],
        optional_arguments=["c", "blob"],
        attachments=attrs.evolve(old.methods["f"].attachments, incoming="blob"),
    )
    new = attrs.evolve(old, methods={"f": method})
    assert compare(old, new) == [Change(False, "f", "args.blob", "added")]


def test_places_and_words() -> None:
    old = thing(a=list[thing(b=dict[str, int])], c=Small)  # type: ignore[misc]
    new = thing(a=list[thing(b=dict[str, str])], c=Large)  # type: ignore[misc]
    found = compare(with_types(old, None), with_types(new, None))
    assert [(one.breaking, one.where, one.what) for one in found] == [
        (True, "args.x.a[].b[...]", "int → str"),
        (False, "args.x.c", '"b" added'),
    ]


def schemas(*alternatives: Any) -> Description:
    method = {
        "required_arguments": ["x"],
        "optional_arguments": [],
        "schema": {
            "arguments": {"properties": {"x": {"anyOf": list(alternatives)}}},
            "result": {},
        },
    }
    return understand({"name": NAME, "methods": {"f": method}})


def test_schemas_of_others() -> None:
    """JSON Schemas may be written in more ways than ours are."""
    number, both = {"type": "number"}, {"type": ["string", "number"]}
    mixed = {"enum": ["a", 1, None, True, 1.5, [], {}]}
    assert compare(schemas(both), schemas(number, {"type": "string"})) == []
    assert [one.breaking for one in compare(schemas(both), schemas(number))] == [True]
    assert compare(schemas(mixed), schemas(mixed)) == []
    assert compare(schemas(mixed), schemas({"enum": ["a", 1]}))[0].breaking
    texts = [{"type": "string", "format": "a"}, {"type": "string", "format": "b"}]
    assert compare(schemas(*texts), schemas(*texts)) == []
    assert compare(schemas(*texts), schemas(*texts, {"type": "string"}))[0].breaking is False
    assert compare(schemas({"type": "string", "minLength": "x"}), schemas({"type": "string"}))
    odd = {"$ref": "#/$defs/none"}
    assert compare(schemas(odd), schemas({})) == []
