"""Records of services are values."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from pycom_core.records import ServiceRecord

RECORD = ServiceRecord("/one", "tcp://one:1", ["com.foo", "com.bar"], {"zone": ["a"]})


def test_interfaces_are_a_tuple_whatever_they_were() -> None:
    assert RECORD.interfaces == ("com.foo", "com.bar")
    assert ServiceRecord("/one", "tcp://one:1", iter(["com.foo"])).interfaces == ("com.foo",)


def test_interfaces_that_are_one_text_are_refused() -> None:
    with pytest.raises(TypeError, match=r"interfaces of a ServiceRecord .*write \('com.foo',\)"):
        ServiceRecord("/one", "tcp://one:1", "com.foo")


@pytest.mark.parametrize("wrong", [b"com.foo", [3], ("com.foo", None)])
def test_interfaces_that_are_no_names_are_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"interfaces of a ServiceRecord must be names, not "):
        ServiceRecord("/one", "tcp://one:1", wrong)


def test_equal_in_all_fields() -> None:
    assert attrs.evolve(RECORD) == RECORD
    assert attrs.evolve(RECORD, service="/two") != RECORD
    assert attrs.evolve(RECORD, address="tcp://two:1") != RECORD
    assert attrs.evolve(RECORD, interfaces=()) != RECORD
    assert attrs.evolve(RECORD, metadata={}) != RECORD


def test_metadata_cannot_be_hashed_but_a_record_can() -> None:
    assert len({RECORD, attrs.evolve(RECORD), attrs.evolve(RECORD, service="/two")}) == 2


def test_metadata_are_not_shared() -> None:
    one, two = (ServiceRecord(name, "tcp://a:1", ()) for name in ("/one", "/two"))
    one.metadata["zone"] = "a"
    assert two.metadata == {}


def test_cannot_be_changed() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        RECORD.address = "tcp://two:2"  # type: ignore[misc]
