"""Channels that are kept for the next call."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest

from pycom_core.transport import Channel
from pycom_core.transport import _pool as pools
from pycom_core.transport._pool import Pool


class Fake(Channel):
    """A channel that only knows whether it was closed."""

    made: list[Fake]

    def __init__(self, address: str) -> None:
        self.address = address
        self.closed = False
        self.alive = True

    def exchange(self, payload: Sequence[Any], timeout: float) -> list[Any]:
        raise NotImplementedError

    def is_alive(self) -> bool:
        return self.alive

    def close(self) -> None:
        self.closed = True


def test_borrowed_channels_are_not_shared() -> None:
    pool = Pool(Fake)
    one, two = pool.borrow("a"), pool.borrow("a")
    assert one is not two
    pool.give_back("a", one)
    assert pool.borrow("a") is one
    assert pool.borrow("b").address == "b"


def test_keeps_no_more_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "MAX_IDLE", 2)
    pool = Pool(Fake)
    channels = [pool.borrow("a") for _ in range(3)]
    for channel in channels:
        pool.give_back("a", channel)
    assert [channel.closed for channel in channels] == [False, False, True]


def test_forget_and_close() -> None:
    pool = Pool(Fake)
    channels = {address: pool.borrow(address) for address in ("a", "b")}
    for address, channel in channels.items():
        pool.give_back(address, channel)
    pool.forget("a")
    pool.forget("unknown")
    assert [channel.closed for channel in channels.values()] == [True, False]
    pool.close()
    assert channels["b"].closed
    assert pool.borrow("b") is not channels["b"]


def test_alive_is_what_its_idle_channels_are() -> None:
    pool = Pool(Fake)
    assert not pool.is_alive("a")
    channel = pool.borrow("a")
    assert not pool.is_alive("a")
    pool.give_back("a", channel)
    assert pool.is_alive("a")
    channel.alive = False
    assert not pool.is_alive("a")
    assert pool.borrow("a") is channel


def test_forked_child_leaves_its_parents_channels_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(Fake)
    channel = pool.borrow("a")
    pool.give_back("a", channel)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert not pool.is_alive("a")
    assert pool.borrow("a") is not channel
    assert not channel.closed
