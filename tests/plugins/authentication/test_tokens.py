"""Tokens of the authenticator."""

from __future__ import annotations

import pytest

from pycom_core.testing import Clock
from pycom_plugins.authentication import tokens
from pycom_plugins.authentication.tokens import Owner, Tokens

ANN = Owner("ann", "hash")


def test_a_token_belongs_to_its_owner() -> None:
    issued = Tokens(60)
    assert issued.owner(issued.issue(ANN)) == ANN


@pytest.mark.parametrize("token", ["", "x" * 43, "\ud83d"])
def test_others_belong_to_nobody(token: str) -> None:
    issued = Tokens(60)
    issued.issue(ANN)
    assert issued.owner(token) is None


def test_tokens_end() -> None:
    clock = Clock()
    issued = Tokens(60, clock.now)
    token = issued.issue(ANN)
    clock.advance(59)
    assert issued.owner(token) == ANN
    clock.advance(1)
    assert issued.owner(token) is None


def test_tokens_are_256_random_bits() -> None:
    issued = Tokens(60)
    found = {issued.issue(ANN) for _ in range(1000)}
    assert len(found) == 1000
    assert {len(token) for token in found} == {43}  # of 6 bits


def test_tokens_are_not_kept_as_they_are() -> None:
    issued = Tokens(60)
    assert issued.issue(ANN) not in issued._owners._values


def test_the_number_of_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "LIMIT", 3)
    issued = Tokens(60)
    found = [issued.issue(ANN) for _ in range(5)]
    assert [issued.owner(token) for token in found] == [None, None, ANN, ANN, ANN]
