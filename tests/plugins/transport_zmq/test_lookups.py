"""Names of hosts that IPv6 alone reaches."""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

import pytest

from pycom_plugins.transport_zmq import lookups as module
from pycom_plugins.transport_zmq.lookups import Lookups

PATIENCE = 30  # s
FOUND = {"six": ["fd00::1"], "both": ["fd00::1", "10.0.0.1"], "four": ["10.0.0.1"]}


class Resolver:
    """A resolver that notes the names, and answers when the test lets it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer = threading.Event()
        self.answer.set()

    def getaddrinfo(self, host: str, port: None) -> list[Any]:
        self.asked.append(host)
        assert self.answer.wait(PATIENCE)
        if host not in FOUND:
            raise socket.gaierror
        families = (socket.AF_INET6 if ":" in one else socket.AF_INET for one in FOUND[host])
        return [(family, 0, 0, "", ()) for family in families]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)
    return resolver


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("tcp://[::1]:2013", True),
        ("tcp://[fe80::1%eth0]:2013", True),
        ("tcp://[::]:2013", True),
        ("tcp://127.0.0.1:2013", False),
        ("tcp://127.1:2013", False),
        ("tcp://0.0.0.0:*", False),
        ("tcp://*:2013", False),
        ("tcp://10.0.0.1:0;[::1]:2013", True),
        ("ipc:///tmp/six", False),
        ("inproc://six", False),
        ("nonsense", False),
    ],
)
def test_nothing_is_looked_up_that_is_no_name(
    address: str, expected: bool, resolver: Resolver
) -> None:
    answer = Lookups().only_ipv6(address)
    assert answer.done()
    assert answer.result() is expected
    assert resolver.asked == []


@pytest.mark.parametrize(("host", "expected"), [("six", True), ("both", False), ("four", False)])
def test_names_are_looked_up_once(host: str, expected: bool, resolver: Resolver) -> None:
    lookups = Lookups()
    for port in range(1, 4):
        assert lookups.wait(f"tcp://{host}:{port}") is expected
    assert resolver.asked == [host]


def test_name_that_is_not_found_is_looked_up_again(resolver: Resolver) -> None:
    lookups = Lookups()
    assert [lookups.wait("tcp://nowhere:1") for _ in range(2)] == [False, False]
    assert resolver.asked == ["nowhere"] * 2


def test_all_who_ask_meanwhile_wait_for_one_lookup(resolver: Resolver) -> None:
    resolver.answer.clear()
    lookups = Lookups()
    answers = [lookups.only_ipv6("tcp://six:1") for _ in range(3)]
    assert not any(answer.done() for answer in answers)
    resolver.answer.set()
    assert [answer.result(PATIENCE) for answer in answers] == [True] * 3
    assert resolver.asked == ["six"]


def test_wait_has_an_end(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    resolver.answer.clear()
    slow = Lookups()
    assert slow.wait("tcp://six:1") is False
    resolver.answer.set()
    assert slow.only_ipv6("tcp://six:1").result(PATIENCE), "it is known from then on"
    assert slow.wait("tcp://six:1") is True


def test_forked_child_asks_for_itself(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that it would wait for belongs to its parent."""
    lookups = Lookups()
    assert lookups.wait("tcp://six:1")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert lookups.wait("tcp://six:1")
    assert resolver.asked == ["six"] * 2
