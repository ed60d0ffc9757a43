"""The contract of type codecs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import pytest

from pycom_core.wire import _codec as codec
from pycom_core.wire._type_codecs import TypeCodec, wrong_codec

#: JSON values of all kinds.
ANYTHING: tuple[Any, ...] = (
    *(None, True, 0, -1, 10**30, 0.5, "", "text", "\ud800", "2026-11-01", "1/0"),
    *([], [None], [[1]], {}, {"a": 1}, {"\ud800": {}}),
)


@attrs.frozen
class SampleObjects:
    """A codec, and values to test it with."""

    codec: TypeCodec
    #: Objects to send: equal to their copies, and unequal to all different objects.
    objects: Sequence[Any]
    #: Classes, and JSON values that do not stand for one of their objects.
    wrong: Sequence[tuple[Any, Any]] = ()


class TypeCodecContract:
    """Subclass it and supply the fixture `sample`: `SampleObjects`."""

    @pytest.fixture
    def sample(self) -> SampleObjects:
        raise NotImplementedError("supply the fixture sample")

    def test_is_fit_for_its_classes(self, sample: SampleObjects) -> None:
        assert sample.objects
        for one in sample.objects:
            assert wrong_codec(type(one), sample.codec) is None

    def test_objects_survive(self, sample: SampleObjects) -> None:
        for one in sample.objects:
            again = sample.codec.decode(type(one), _travelled(sample.codec.encode(one)))
            assert type(again) is type(one)
            assert again == one

    def test_encoding_changes_nothing(self, sample: SampleObjects) -> None:
        for one in sample.objects:
            assert _travelled(sample.codec.encode(one)) == _travelled(sample.codec.encode(one))

    def test_wrong_values_are_refused(self, sample: SampleObjects) -> None:
        for cls, value in sample.wrong:
            with pytest.raises((ValueError, TypeError)):
                sample.codec.decode(cls, value)

    def test_any_value_is_decoded_or_refused(self, sample: SampleObjects) -> None:
        for cls in {type(one) for one in sample.objects}:
            for value in ANYTHING:
                try:
                    found = sample.codec.decode(cls, value)
                except (ValueError, TypeError, ArithmeticError):
                    continue
                assert isinstance(found, cls), f"{value!r} became {found!r}"

    @pytest.mark.parametrize("result", [False, True])
    def test_schema_is_one(self, sample: SampleObjects, result: bool) -> None:
        for cls in {type(one) for one in sample.objects}:
            schema = json.loads(json.dumps(sample.codec.schema(cls, result)))
            assert isinstance(schema, dict)
            assert set(_references(schema)) <= {
                f"#/$defs/{name}" for name in schema.get("$defs", {})
            }


def _travelled(value: Any) -> Any:
    """Return a value as it arrives on the other side. Raises TypeError if it is not JSON."""
    return codec.dict_from_wire(codec.dict_to_wire({"value": value}))["value"]


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for inner in schema:
            yield from _references(inner)
    elif isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for inner in schema.values():
            yield from _references(inner)
