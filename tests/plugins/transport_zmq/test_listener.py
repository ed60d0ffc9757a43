"""A ROUTER socket of a server: replies that leave together, and those that must not wait."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import helpers
import pytest
from helpers import until
from in_process import MakeRuntime, payload, running

from pycom_core import Request, Runtime, Server, ServiceServer, interface, method

ANY_PORT = "tcp://127.0.0.1:*"
IFACE = "com.foo.router"


@interface(IFACE)
class Work:
    def __init__(self) -> None:
        self.ran = 0
        self.release = threading.Event()

    @method
    def note(self, request: Request) -> None:
        self.ran += 1

    @method
    def hold(self, request: Request) -> str:
        """Hold the loop."""
        assert self.release.wait(helpers.PATIENCE)
        return "released"


@pytest.fixture
def runtime(make_runtime: MakeRuntime) -> Runtime:
    return make_runtime(transport=("zmq",))


@pytest.fixture
def work() -> Iterator[Work]:
    work = Work()
    yield work
    work.release.set()


def dealer(server: Server) -> helpers.Dealer:
    return helpers.Dealer(server.addresses[0])


def arrived(server: Server, count: int) -> None:
    """Wait until so many messages are there for the server to find at one wake-up."""
    listener: Any = server.listeners[0]
    until(lambda: listener.stand_in() or len(listener._backlog) == count)


def test_reply_does_not_wait_for_a_method_that_holds_the_loop(runtime: Runtime, work: Work) -> None:
    server = ServiceServer([ANY_PORT], [work], runtime)
    with dealer(server) as client:
        for name in (b"first", b"second"):
            client.send(name, b"", *payload(IFACE, "note"))
        client.send(b"hold", b"", *payload(IFACE, "hold"))
        arrived(server, 3)
        with running(server):
            assert [client.receive()[0] for _ in range(2)] == [b"first", b"second"]
            work.release.set()
            assert json.loads(client.receive()[-1]) == {"code": 0, "result": "released"}


def test_replies_of_quick_methods_leave_together(
    runtime: Runtime, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ServiceServer([ANY_PORT], [work], runtime)
    listener = server.listeners[0]
    send, ran = listener.send, []
    monkeypatch.setattr(listener, "send", lambda reply: ran.append(work.ran) or send(reply))
    monkeypatch.setattr("pycom_plugins.transport_zmq.listener.HOLD", helpers.PATIENCE)
    with dealer(server) as client:
        for number in range(3):
            client.send(b"%d" % number, b"", *payload(IFACE, "note"))
        arrived(server, 3)
        with running(server):
            assert [client.receive()[0] for _ in range(3)] == [b"0", b"1", b"2"]
    assert ran == [1, 3, 3], "the first need not wait"
