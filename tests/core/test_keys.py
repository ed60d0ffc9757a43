"""Keys and their text."""

from __future__ import annotations

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st
from zmq.utils import z85

from pycom_core.keys import KeyPair, as_text, from_text


@given(st.binary(min_size=32, max_size=32))
def test_text_is_that_of_libzmq_and_leads_back(key: bytes) -> None:
    assert as_text(key).encode() == z85.encode(key)
    assert from_text(as_text(key)) == key


@given(st.text())
def test_other_texts_are_no_keys(text: str) -> None:
    with pytest.raises(ValueError, match="40 characters of Z85"):
        from_text(text)


@pytest.mark.parametrize("text", ["a" * 39, "a" * 41, '"' * 40, "é" * 40, "~" * 40, "#" * 40])
def test_what_looks_like_a_key(text: str) -> None:
    with pytest.raises(ValueError, match="40 characters of Z85"):
        from_text(text)


def test_secret_is_not_shown() -> None:
    public, secret = (z85.decode(key) for key in zmq.curve_keypair())
    assert repr(secret) not in repr(KeyPair(public, secret))
    assert repr(public) in repr(KeyPair(public, secret))
