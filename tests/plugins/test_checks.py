"""Argument checks: conditions on single arguments, stacked above a method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from in_process import MakeRuntime, call

import pycom
from pycom.ext.checks import check_argument
from pycom_core import ServiceServer


def checked(*arguments: Any, **options: Any) -> Any:
    """An interface with one method, whose argument `size` is checked."""

    @pycom.interface("com.foo.checked")
    class Checked:
        @check_argument("size", *arguments, **options)
        @pycom.method
        def grow(self, request: Any, size: Any = "nothing") -> Any:
            return size

    return Checked.__interface__


def odd(name: str, value: Any) -> bool:
    return name == "size" and value % 2 == 1


def too_small(name: str, value: Any) -> bool:
    raise ValueError(f"{name} {value} is too small")


def raising(kind: type[Exception]) -> Callable[[str, Any], bool]:
    def validator(name: str, value: Any) -> bool:
        raise kind("not so")

    return validator


@pytest.mark.parametrize(
    ("options", "good", "bad"),
    [
        ({"valid_types": int}, [0, -1, True], ["1", 1.5, None, [], {}]),
        ({"valid_types": (int, str)}, [0, "1", ""], [1.5, None, []]),
        ({"validator": odd}, [1, 3], [2, 0]),
        ({"valid_types": int, "validator": odd}, [1], [2, "1"]),
        ({"validator": lambda name, value: value}, [1, "a", [0]], [0, "", [], None]),
        ({"validator": too_small}, [], [1]),
        ({"validator": raising(TypeError)}, [], [1]),
        ({}, [1, None, "a"], []),
    ],
)
def test_check_argument(options: Any, good: list[Any], bad: list[Any]) -> None:
    iface = checked(**options)
    for value in good:
        assert iface.invoke("grow", {"size": value}) == value
    for value in bad:
        with pytest.raises(pycom.BadRequest, match="size|not so"):
            iface.invoke("grow", {"size": value})


def test_check_says_what_is_wrong() -> None:
    with pytest.raises(pycom.BadRequest) as caught:
        checked(int).invoke("grow", {"size": "big"})
    for part in ("size", "com.foo.checked.grow", "int", "str"):
        assert part in str(caught.value)
    with pytest.raises(pycom.BadRequest, match="size 1 is too small"):
        checked(validator=too_small).invoke("grow", {"size": 1})


@pytest.mark.parametrize("options", [{"valid_types": int}, {"validator": lambda *_: False}])
def test_check_with_a_message_of_ones_own(options: Any) -> None:
    iface = checked(error_message="Sizes are whole numbers", **options)
    with pytest.raises(pycom.BadRequest, match="^Sizes are whole numbers$"):
        iface.invoke("grow", {"size": "big"})


def test_check_does_not_ask_for_presence() -> None:
    assert checked(int).invoke("grow") == "nothing"
    assert checked(validator=too_small).invoke("grow", {"other": 1}) == "nothing"


def test_validator_that_breaks_is_no_bad_request() -> None:
    with pytest.raises(KeyError):
        checked(validator=raising(KeyError)).invoke("grow", {"size": 1})


def test_checks_stack(make_runtime: MakeRuntime) -> None:
    @pycom.interface("com.foo.stacked")
    class Stacked:
        @check_argument("a", int)
        @check_argument("b", str)
        @pycom.method
        def join(self, request: Any, a: Any, b: Any) -> Any:
            return [a, b]

    server = ServiceServer(["local://a"], [Stacked], make_runtime())
    assert call(server, "com.foo.stacked", "join", {"a": 1, "b": "x"})["result"] == [1, "x"]
    assert call(server, "com.foo.stacked", "join", {"a": 1, "b": 2})["code"] == 4
    assert call(server, "com.foo.stacked", "join", {"a": "x", "b": "x"})["code"] == 4
    assert call(server, "com.foo.stacked", "join", {"a": 1})["code"] == 4
