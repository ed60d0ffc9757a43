"""A server: sockets, a loop, and a life."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import helpers
import pytest
from awaited import comes_true
from helpers import until
from in_process import MakeRuntime, answer, call, payload, running, waiting

from pycom_core import (
    BaseCommand,
    ConfigurationError,
    Future,
    Request,
    Response,
    Runtime,
    Server,
    ServiceServer,
    interface,
    method,
)
from pycom_core.constants import DEADLINE_EXTENSION
from pycom_core.messages import Delivery
from pycom_core.transport import ConnectedPeer, Listener

ANY_PORT = "tcp://127.0.0.1:*"
IFACE = "com.foo.work"


class Echo(Server):
    """A server that answers by the method's name, in all ways."""

    def handle_call(self, request: Request) -> Any:
        if request.method == "future":
            future = Future(request)
            threading.Thread(target=future.response, args=[request.args]).start()
            return future
        if request.method == "later":
            return self.later(request)
        if request.method == "plain":
            return request.args
        if request.method == "fail":
            raise ValueError("secret")
        return request.response(request.args, request.attachment)

    async def later(self, request: Request) -> Response:
        await asyncio.sleep(0)
        return request.response(request.args)


@interface(IFACE)
class Work:
    def __init__(self) -> None:
        self.ran: list[Any] = []
        self.started = threading.Event()
        self.release = threading.Event()

    @method
    def note(self, request: Request, what: Any = None) -> None:
        self.ran.append(what)

    @method
    def hold(self, request: Request) -> str:
        """Hold the loop."""
        self.started.set()
        assert self.release.wait(helpers.PATIENCE)
        return "released"

    @method
    async def wait(self, request: Request) -> str:
        """Wait without holding the loop."""
        self.started.set()
        while not self.release.is_set():
            await asyncio.sleep(0.001)
        return "released"

    @method(results=("size", "blob"), attachments=(None, "blob"))
    def give(self, request: Request, blob: Any) -> Any:
        return 1, blob


@pytest.fixture(params=["zmtp", "zmq"])
def runtime(request: pytest.FixtureRequest, make_runtime: MakeRuntime) -> Runtime:
    """With real sockets, of each kind."""
    return make_runtime(transport=(request.param,))


@pytest.fixture
def work() -> Iterator[Work]:
    work = Work()
    yield work
    work.release.set()


def dealer(server: Server) -> helpers.Dealer:
    return helpers.Dealer(server.addresses[0])


@pytest.mark.parametrize("name", ["response", "future", "later", "plain"])
def test_whatever_handle_call_returns(name: str, runtime: Runtime) -> None:
    with running(Echo([ANY_PORT], runtime)) as server, dealer(server) as client:
        assert client.call("any", name, {"a": 1}) == {"code": 0, "result": {"a": 1}}


def test_handle_call_that_fails(runtime: Runtime) -> None:
    with running(Echo([ANY_PORT], runtime)) as server, dealer(server) as client:
        assert client.call("any", "fail")["code"] == 1
        assert client.call("any", "plain", 1)["result"] == 1


def test_handle_call_must_be_overridden(make_runtime: MakeRuntime) -> None:
    server = Server(["local://a"], make_runtime())
    assert call(server, "any", "thing")["code"] == 1


def test_prepare_call(make_runtime: MakeRuntime) -> None:
    class Prepared(Echo):
        def prepare_call(self, request: Request) -> Request:
            request.args = ["prepared", request.args]
            return request

    server = Prepared(["local://a"], make_runtime())
    assert call(server, "any", "plain", 1)["result"] == ["prepared", 1]


def test_commands_are_live(runtime: Runtime) -> None:
    class Upper(BaseCommand):
        def request_from_dict(self, data: dict[str, Any]) -> Any:
            return data["text"]

        async def real_process_request(self, request: Any, *other_parts: Any) -> Response:
            return Response(None, result=request.upper())

        def response_to_dict(self, response: Response) -> dict[str, Any]:
            return {"text": response.result}

    with running(Echo([ANY_PORT], runtime)) as server, dealer(server) as client:
        assert client.ask(b"UPPER", b'{"text": "a"}')[0] == b"OK"
        server.commands[b"UPPER"] = Upper(server)
        assert client.ask(b"UPPER", b'{"text": "a"}') == [b"OK", b'{"code":0,"text":"A"}']
        del server.commands[b"UPPER"]
        assert b"Unknown command: UPPER" in client.ask(b"UPPER", b"{}")[1]


def test_several_addresses(runtime: Runtime) -> None:
    with running(Echo([ANY_PORT, ANY_PORT], runtime)) as server:
        assert len(set(server.addresses)) == 2
        for address in server.addresses:
            with helpers.Dealer(address) as client:
                assert client.call("any", "plain", address)["result"] == address


def test_address_that_cannot_be_bound_frees_the_others(runtime: Runtime) -> None:
    with running(Echo([ANY_PORT], runtime)) as server:
        free = Echo([ANY_PORT], runtime)
        address = free.addresses[0]
        free.close()
        with pytest.raises(ConfigurationError, match="Address already in use"):
            Echo([address, *server.addresses], runtime)
        assert runtime.servers == [server]
        Echo([address], runtime).close()


def test_more_than_one_burst(runtime: Runtime) -> None:
    count = 1000
    with running(Echo([ANY_PORT], runtime)) as server, dealer(server) as client:
        for number in range(count):
            client.send(b"%d" % number, b"", *payload("any", "plain", number))
        results = [json.loads(client.receive()[-1])["result"] for _ in range(count)]
    assert results == list(range(count))


def test_setup_on_a_loop_or_on_the_runtimes(make_runtime: MakeRuntime) -> None:
    made = make_runtime()
    server, other = Echo(["local://a"], made), Echo(["local://b"], made)
    loop = asyncio.new_event_loop()
    server.setup(loop)
    other.setup()
    assert server.loop is loop
    assert other.loop is made.ioloop() is not loop
    server.close()
    other.close()
    loop.close()
    made.ioloop().close()


@pytest.mark.parametrize("value", ["text", 3, [1], {"a": 1}, True])
def test_attachment_that_is_none_harms_nobody(
    value: Any, runtime: Runtime, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        running(ServiceServer([ANY_PORT], [work], runtime)) as server,
        dealer(server) as wrong,
        dealer(server) as other,
    ):
        assert wrong.call(IFACE, "give", {"blob": value})["code"] == 1
        assert other.call(IFACE, "note") == {"code": 0, "result": None}
        assert wrong.call(IFACE, "note") == {"code": 0, "result": None}
    assert "com.foo.work.give returned what cannot be sent" in caplog.text


@pytest.mark.parametrize("value", [b"\x00\xff", bytearray(b"ab"), memoryview(b"ab"), b""])
def test_attachments_of_every_kind(value: Any, runtime: Runtime) -> None:
    class Giving(Server):
        def handle_call(self, request: Request) -> Response:
            return request.response(None, value)

    with running(Giving([ANY_PORT], runtime)) as server, dealer(server) as client:
        assert client.ask(*payload("any", "thing"))[2] == bytes(value)


def test_command_whose_parts_are_none(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    class Wrong(BaseCommand):
        async def process_request(self, json_body: Any, *other_parts: Any) -> Any:
            return [b"{}", "text"]

    with running(Echo([ANY_PORT], runtime)) as server, dealer(server) as client:
        server.commands[b"WRONG"] = Wrong(server)
        assert client.ask(b"WRONG", b"{}")[0] == b"FAIL"
        assert client.call("any", "plain", 1)["result"] == 1
    assert "A command broke" in caplog.text


# While a method holds the loop.


def test_time_of_arrival_is_known_while_a_method_holds_the_loop(
    runtime: Runtime, work: Work
) -> None:
    with running(ServiceServer([ANY_PORT], [work], runtime)) as server, dealer(server) as client:
        client.send(b"hold", b"", *payload(IFACE, "hold"))
        assert work.started.wait(helpers.PATIENCE)
        short = {DEADLINE_EXTENSION: 50}
        client.send(b"late", b"", *payload(IFACE, "note", {"what": "late"}, extensions=short))
        long = {DEADLINE_EXTENSION: 60_000}
        client.send(b"good", b"", *payload(IFACE, "note", {"what": "good"}, extensions=long))
        until(lambda: len(waiting(server)) == 2)
        until(lambda: time.monotonic() > waiting(server)[0].arrived + 0.05)
        work.release.set()
        answers = {}
        for _ in range(3):
            correlation, _delimiter, _status, body = client.receive()
            answers[correlation] = json.loads(body)
    assert answers[b"hold"] == {"code": 0, "result": "released"}
    assert answers[b"late"]["code"] == 7
    assert answers[b"good"]["code"] == 0
    assert work.ran == ["good"]


def test_what_arrives_while_the_loop_is_held_is_answered(runtime: Runtime, work: Work) -> None:
    with running(ServiceServer([ANY_PORT], [work], runtime)) as server, dealer(server) as client:
        client.send(b"hold", b"", *payload(IFACE, "hold"))
        assert work.started.wait(helpers.PATIENCE)
        for number in range(5):
            client.send(b"%d" % number, b"", *payload(IFACE, "note", {"what": number}))
        until(lambda: len(waiting(server)) == 5)
        work.release.set()
        assert [client.receive()[0] for _ in range(6)] == [b"hold", b"0", b"1", b"2", b"3", b"4"]
    assert work.ran == [0, 1, 2, 3, 4]


def test_time_of_arrival_is_known_while_short_calls_follow_one_another(
    runtime: Runtime,
) -> None:
    @interface("com.foo.short")
    class Short:
        @method
        def nap(self, request: Request) -> None:
            time.sleep(0.005)

    frames = payload("com.foo.short", "nap", extensions={DEADLINE_EXTENSION: 100})
    server = ServiceServer([ANY_PORT], [Short], runtime)
    with dealer(server) as client:
        for _ in range(100):
            client.send(b"", *frames)
        with running(server):  # now all of them leave
            codes = [helpers.answer_in(client.receive()[1:])["code"] for _ in range(100)]
    assert codes[-1] == 7
    if "zmtp" in runtime.settings.transport:  # with 0MQ the system does not tell when they came
        assert codes == sorted(codes), "in their order"


# The end.


def test_drain_waits_for_what_runs(make_runtime: MakeRuntime, runtime: Runtime) -> None:
    work = Work()

    async def run() -> list[Any]:
        server = ServiceServer([ANY_PORT], [work], runtime)
        server.setup(asyncio.get_running_loop())
        try:
            assert await server.drain(0)
            with dealer(server) as client:
                client.send(b"", *payload(IFACE, "wait"))
                await comes_true(lambda: work.started.is_set())
                in_time = await server.drain(0.01)
                work.release.set()
                later = await asyncio.wait_for(server.drain(3600), helpers.PATIENCE)
                return [in_time, later, helpers.answer_in(client.receive()[1:])["result"]]
        finally:
            server.close()

    assert asyncio.run(run()) == [False, True, "released"]


def test_close_is_the_end_and_may_come_twice(runtime: Runtime) -> None:
    server = Echo([ANY_PORT], runtime)
    address = server.addresses[0]
    with running(server):
        pass
    server.close()
    assert server.addresses == []
    assert runtime.servers == []
    Echo([address], runtime).close()


def test_in_flight_is_counted(make_runtime: MakeRuntime) -> None:
    work = Work()
    server = ServiceServer(["local://a"], [work], make_runtime())

    async def run() -> list[int]:
        waiting = asyncio.create_task(answer(server, IFACE, "wait"))
        await comes_true(lambda: work.started.is_set())
        during = server.in_flight
        work.release.set()
        await waiting
        return [during, server.in_flight]

    assert asyncio.run(run()) == [1, 0]


def test_reply_that_cannot_be_handed_back_is_no_call_in_flight(make_runtime: MakeRuntime) -> None:
    def reply(frames: object) -> None:
        raise ConnectionError("gone")

    server = Echo(["local://a"], make_runtime())
    message = [b"client", b"", *payload("any", "plain", 1)]
    with pytest.raises(ConnectionError):
        server.accept(Delivery(message, time.monotonic(), reply))
    assert server.in_flight == 0


# Who is connected.


def test_peers_are_those_that_its_listeners_know(
    make_runtime: MakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(Server(["local://a"], make_runtime())) as server:
        assert server.peers == []
        known = ConnectedPeer("tcp://1.2.3.4:5", "aa", time.monotonic() - 7, 1, 2, 3, 4)
        monkeypatch.setattr(Listener, "peers", [known])
        assert server.peers == [known]
        assert 7 <= known.age < 7 + helpers.PATIENCE
        with pytest.raises(AttributeError):
            known.sent = 5  # type: ignore[misc]
    assert server.peers == []
