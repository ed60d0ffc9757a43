"""Z85, by itself and as pyzmq has it."""

from __future__ import annotations

import contextlib

import pytest
import zmq.utils.z85
from hypothesis import given
from hypothesis import strategies as st

from pycom_plugins.security import z85

WORDS = st.lists(st.binary(min_size=4, max_size=4)).map(b"".join)
TEXTS = st.text() | st.text("0aZ#%.\x00é", min_size=5, max_size=5)


def test_example_of_the_rfc() -> None:
    assert z85.encode(bytes.fromhex("864FD26FB559F75B")) == "HelloWorld"
    assert z85.decode("HelloWorld") == bytes.fromhex("864FD26FB559F75B")


@given(WORDS)
def test_bytes_come_back_and_pyzmq_agrees(raw: bytes) -> None:
    text = z85.encode(raw)
    assert z85.decode(text) == raw
    assert text == zmq.utils.z85.encode(raw).decode()


@given(TEXTS)
def test_a_text_is_refused_or_the_only_one_for_its_bytes(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert z85.encode(z85.decode(text)) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Hell", "multiple of 5 characters, not 4"),
        ("Hell ", "not one of Z85"),
        ("Hell\n", "not one of Z85"),
        ("Hellö", "not one of Z85"),
        ("%nSc1", "more than four bytes"),  # 2**32
        ("#####", "more than four bytes"),
    ],
)
def test_text_that_is_none(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        z85.decode(text)


def test_largest_number() -> None:
    assert z85.decode("%nSc0") == b"\xff" * 4


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_number_of_bytes_that_it_is_not_for(size: int) -> None:
    with pytest.raises(ValueError, match=f"a multiple of 4 bytes, not for {size}"):
        z85.encode(bytes(size))
