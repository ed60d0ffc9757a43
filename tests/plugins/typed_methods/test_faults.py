"""Faults of arguments, in words for the caller."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import pytest

from pycom_plugins.typed_methods.faults import FAULTS, explain


@attrs.define
class Inner:
    text: str

    def __attrs_post_init__(self) -> None:
        if self.text:
            raise ValueError(self.text)


class Arguments(msgspec.Struct):
    value: Any = None
    numbers: list[dict[str, list[float]]] = []
    inner: Inner | None = None
    words: set[Any] = set()
    keys: dict[int, int] = {}
    day: msgspec.Raw | None = None
    nested: list[Any] = []


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"numbers": [{}, {"a": [1, None]}]}, "args.numbers[1][...][1]: expected float"),
        ({"inner": {}}, "args.inner.text: missing"),
        ({"inner": {"text": "Not `this` - at all"}}, "args.inner: Not `this` - at all"),
        ({"inner": {"text": "Expected `much`, got little"}}, "args.inner: expected much"),
        ({"keys": {"a": 1}}, "key in args.keys: expected int"),
        ({"words": [[]]}, "args: unhashable type: 'list'"),
        ([], "args: expected object"),
    ],
)
def test_place_and_expectation(given: Any, text: str) -> None:
    with pytest.raises(FAULTS) as caught:
        msgspec.convert(given, Arguments, str_keys=True)
    assert explain(caught.value) == text


def test_faults_without_a_place() -> None:
    assert explain(RecursionError("maximum recursion depth exceeded")) == "args: nested too deep"
    assert explain(ArithmeticError("too much")) == "args: too much"
