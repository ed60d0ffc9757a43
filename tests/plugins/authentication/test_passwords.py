"""Passwords as hashes."""

from __future__ import annotations

import logging

import pytest

from pycom_plugins.authentication import passwords


@pytest.fixture(scope="module", autouse=True)
def quick_hashes() -> None:
    """Not here: these are about the real ones."""


@pytest.mark.parametrize("text", ["pw", "", "pässwörd 🔑", "half of a pair: \ud83d"])
def test_a_password_matches_its_hash_alone(text: str) -> None:
    kept = passwords.hashed(text)
    assert kept.startswith("$argon2id$")
    assert passwords.matches(kept, text)
    assert not passwords.matches(kept, f"{text} ")


def test_no_two_hashes_are_alike() -> None:
    assert passwords.hashed("pw") != passwords.hashed("pw")


@pytest.mark.parametrize("kept", ["", "pw", "$argon2id$v=19$m=65536,t=3,p=4$broken"])
def test_what_is_no_hash_matches_nothing(kept: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert not passwords.matches(kept, "pw")
    assert "no argon2 hash" in caplog.text
