"""Annotations, and the names that they may use."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
import pytest

import pycom
from pycom_core import ConfigurationError, Interface
from pycom_plugins.typed_methods.hints import Argument, Signature, read

if TYPE_CHECKING:
    from nowhere import Elsewhere  # type: ignore[import-not-found]


@attrs.define
class Item:
    name: str


def keeping(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Base:
    Number = int


@pycom.interface("com.foo.hints")
class Hints(Base):
    Words = list[str]

    class Inner:
        pass

    @pycom.method
    def list(self, request: Elsewhere, items: list[Item]) -> dict[str, Item] | None:
        raise NotImplementedError

    @pycom.method
    def of_class(self: Elsewhere, request: Any, words: Words, number: Number) -> None:  # noqa: F821
        raise NotImplementedError

    @pycom.method
    @keeping
    def wrapped(self, request: Any, item: Item) -> Item:
        raise NotImplementedError

    @pycom.method(attachments=("blob", None))
    def attached(self, request: Any, blob: Elsewhere, size: int) -> None:
        raise NotImplementedError

    @pycom.method
    def only_request(self, request: Elsewhere):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    @pycom.method
    def anything(self, request: Any, value: object, other: Any = 1) -> object:
        raise NotImplementedError

    @pycom.method
    def unknown(self, request: Any, item: Elsewhere) -> None:
        raise NotImplementedError


IFACE: Interface = Hints.__interface__  # type: ignore[attr-defined]


def types_of(name: str) -> tuple[dict[str, Any], Any]:
    signature = read(IFACE, IFACE.methods[name])
    assert signature is not None
    return {argument.name: argument.type for argument in signature.arguments}, signature.result


def test_names_of_the_module_and_of_the_class() -> None:
    assert types_of("list") == ({"items": list[Item]}, dict[str, Item] | None)
    assert types_of("of_class") == ({"words": list[str], "number": int}, type(None))
    assert types_of("wrapped") == ({"item": Item}, Item)


def test_what_is_no_argument() -> None:
    assert types_of("attached") == ({"blob": Any, "size": int}, type(None))


def test_what_no_call_fills_is_no_argument_of_methods_that_call_themselves() -> None:
    def function(self: Any, request: Any, *numbers: Elsewhere, **others: Elsewhere) -> int:
        raise NotImplementedError

    assert read(IFACE, pycom.method("variable", body=function)) == Signature((), int)


def test_what_promises_nothing() -> None:
    for name in ("only_request", "anything"):
        assert read(IFACE, IFACE.methods[name]) is None


def test_arguments() -> None:
    def function(self: Any, request: Any, a: int, b: str = "x", *, c: Any) -> Any:
        raise NotImplementedError

    empty = Argument("", None, None, False)
    signature = read(IFACE, pycom.method("f", body=function))
    assert signature == Signature(
        (
            attrs.evolve(empty, name="a", type=int, default=signature.arguments[0].default),
            attrs.evolve(empty, name="b", type=str, default="x"),
            Argument("c", Any, signature.arguments[2].default, True),
        ),
        Any,
    )
    assert [argument.required for argument in signature.arguments] == [True, False, True]


def test_name_that_only_type_checkers_know() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(IFACE, IFACE.methods["unknown"])
    for part in ("com.foo.hints.unknown", "'Elsewhere'", "argument 'item'", "type checker"):
        assert part in str(caught.value)
