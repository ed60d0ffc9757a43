"""Keys, and secrets that do not show."""

from __future__ import annotations

import copy
import json
import pickle

import attrs
import msgspec
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings

from pycom_core.keys import as_text
from pycom_plugins.security import keys
from pycom_plugins.security.keys import KeyPair, Secret, public_bytes

#: The example in zmq_curve(7), which is for tests alone.
PUBLIC = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
SECRET = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
PRIME = 2**255 - 19


def in_z85(number: int) -> str:
    return as_text(number.to_bytes(32, "little"))


def parsed(text: str) -> Secret:
    secret = Secret.parse(text)
    assert secret is not None
    return secret


def test_public_half() -> None:
    assert KeyPair.of(parsed(SECRET)).public == PUBLIC


@pytest.mark.skipif(not zmq.has("curve"), reason="this libzmq was built without CURVE")
def test_libzmq_takes_a_new_key() -> None:
    pair = KeyPair.new()
    text = as_text(pair.secret.reveal())
    assert zmq.curve_public(text.encode()).decode() == pair.public


def test_new_keys_differ() -> None:
    assert KeyPair.new() != KeyPair.new()


@given(st.binary(min_size=32, max_size=32))
def test_public_half_of_any_secret_is_accepted(raw: bytes) -> None:
    public = KeyPair.of(Secret(raw)).public
    assert as_text(public_bytes(public)) == public


def test_secret_that_is_given_as_public_is_recognised() -> None:
    text = as_text(KeyPair.new().secret.reveal())
    with pytest.raises(ValueError, match="but secret keys do") as caught:
        public_bytes(text)
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "40 characters of Z85, not 0"),
        (PUBLIC[:-1], "40 characters of Z85, not 39"),
        (f"{PUBLIC} ", "40 characters of Z85, not 41"),
        (f"{PUBLIC[:-1]} ", "40 characters of Z85"),
        ("#" * 40, "40 characters of Z85"),
        (in_z85(PRIME), "no key has this public half"),
        (in_z85(PRIME + 9), "no key has this public half"),
        (in_z85(2**255 - 1), "no key has this public half"),
        (in_z85(2**255), "but secret keys do"),
    ],
)
def test_what_is_no_public_key(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        public_bytes(text)
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize("point", sorted(keys._SMALL))
def test_key_that_anybody_shares_a_secret_with(point: int) -> None:
    with pytest.raises(ValueError, match="no key has this public half"):
        public_bytes(in_z85(point))
    with pytest.raises(Exception, match="Unexpected library error"):  # libsodium's own check
        bindings.crypto_scalarmult(b"\x01" * 32, point.to_bytes(32, "little"))


@pytest.mark.parametrize("text", ["", "x", SECRET[:-1], f"{SECRET}\n", "#" * 40, "é" * 40])
def test_what_is_no_secret(text: str) -> None:
    assert Secret.parse(text) is None


def test_secret_shows_nowhere() -> None:
    pair = KeyPair.of(parsed(SECRET))
    raw = pair.secret.reveal()
    shown = [
        *(repr(pair), str(pair), f"{pair}", "%s %r" % (pair, pair)),  # noqa: UP031
        *(repr(pair.secret), f"{pair.secret!s:>50}", repr(vars(type(pair.secret)))),
        *(repr(attrs.asdict(pair)), repr(attrs.astuple(pair))),
    ]
    assert PUBLIC in repr(pair)
    for text in shown:
        assert SECRET not in text
        assert repr(raw)[2:-1] not in text
        assert raw.hex() not in text


def test_secret_is_not_copied_or_stored() -> None:
    pair = KeyPair.of(parsed(SECRET))
    for leave in (
        pickle.dumps,
        copy.deepcopy,
        json.dumps,
        msgspec.json.encode,
        msgspec.to_builtins,
    ):
        with pytest.raises(TypeError) as caught:
            leave(pair)
        assert SECRET not in str(caught.value)
    with pytest.raises(TypeError, match="neither copied nor pickled"):
        copy.copy(pair.secret)
