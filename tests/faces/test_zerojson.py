"""The names that `import zerojson` gives, at work: servers and clients below PyCOM."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import helpers
import pytest
import zmq
from in_process import running

import zerojson
from zerojson.call import CallCommand
from zerojson.common import BaseCommand, dict_from_wire, dict_to_wire

ANY_PORT = "tcp://127.0.0.1:*"


class Upside(zerojson.Server):
    """Without nameserver or interfaces: answers whatever it is asked."""

    def handle_call(self, request: zerojson.Request) -> Any:
        if request.method == "reverse":
            return request.response(request.args[::-1], request.attachment)
        if request.method == "teapot":
            return request.error(77, message="teapot")
        if request.method == "denied":
            raise zerojson.AccessDenied("not you")
        if request.method == "later":
            future = zerojson.Future(request)
            threading.Timer(0.001, future.response, ["later"]).start()
            return future
        if request.method == "count":
            assert request.session is not None
            request.session["calls"] = request.session.get("calls", 0) + 1
            return request.response(request.session["calls"])
        if request.method == "forget":
            request.session.discard()
            return request.response(None)
        return request.response(
            {"interface": request.interface, "method": request.method, "more": request.extensions}
        )


@pytest.fixture
def server(default_runtime: object) -> Iterator[Upside]:
    with running(Upside([ANY_PORT])) as server:
        yield server


@pytest.fixture
def client(server: Upside) -> Iterator[zerojson.Client]:
    with zerojson.Client(server.addresses[0], "com.foo.any") as client:
        yield client


# A server and its clients.


def test_server_with_handle_call_overridden(client: zerojson.Client) -> None:
    found = client.invoke("anything")
    assert (found["interface"], found["method"]) == ("com.foo.any", "anything")
    assert client.invoke("reverse", [1, 2]) == [2, 1]
    assert client.invoke("reverse", "ab", attachment=b"x") == ("ba", b"x")
    assert client.invoke("later") == "later"


def test_errors_of_a_server(client: zerojson.Client) -> None:
    with pytest.raises(zerojson.RemoteError, match="teapot") as caught:
        client.invoke("teapot")
    assert caught.value.code == 77
    with pytest.raises(zerojson.AccessDenied, match="not you"):
        client.invoke("denied")
    with pytest.raises(zerojson.RemoteError, match="Unknown error during request"):
        client.invoke("reverse", None)
    assert client.invoke("later") == "later"


def test_sessions_of_a_server(client: zerojson.Client) -> None:
    assert [client.invoke("count") for _ in range(3)] == [1, 2, 3]
    client.invoke("anything")
    assert client.invoke("count") == 4
    client.invoke("forget")
    with pytest.raises(zerojson.SessionExpired):
        client.invoke("count")


def test_client_that_never_uses_its_session_has_none(client: zerojson.Client) -> None:
    for _ in range(3):
        assert client.invoke("later") == "later"


def test_invoke_with_request(client: zerojson.Client) -> None:
    request = zerojson.Request("com.foo.other", "thing", extensions={"a": 1})
    response = client.invoke_with_request(request, timeout=3000)
    assert isinstance(response, zerojson.Response)
    assert response.request is request
    assert response.result["interface"] == "com.foo.other"
    assert response.result["more"]["a"] == 1


@pytest.mark.parametrize("kind", [zmq.REQ, zmq.DEALER])
def test_client_of_a_socket(kind: int, server: Upside) -> None:
    context = zmq.Context()
    socket = context.socket(kind)
    socket.connect(server.addresses[0])
    client = zerojson.Client(socket, "com.foo.any")
    assert [client.invoke("reverse", "ab"), client.invoke("reverse", "cd")] == ["ba", "dc"]
    client.close(linger=0)
    assert socket.closed
    context.term()


def test_frames_of_a_server(server: Upside) -> None:
    body = b'{"interface": "any", "method": "reverse", "args": [1, 2]}'
    with helpers.Dealer(server.addresses[0], zmq.REQ) as plain:
        plain.socket.send_multipart([b"CALL", body])
        status, answered = plain.socket.recv_multipart()
    assert (status, json.loads(answered)) == (b"OK", {"code": 0, "result": [2, 1]})


def test_prepare_call_and_process(default_runtime: object) -> None:
    class Prepared(Upside):
        def prepare_call(self, request: zerojson.Request) -> zerojson.Request:
            request.args = list(request.args)
            return request

    server = Prepared([ANY_PORT])
    request = zerojson.Request("any", "reverse", args="ab")
    response = server.process(request)
    assert (response.result, response.request) == (["b", "a"], request)
    server.close()


def test_server_on_a_loop_of_ones_own(default_runtime: object) -> None:
    loop = asyncio.new_event_loop()
    server = Upside([ANY_PORT])
    server.setup(ioloop=loop)
    assert server.loop is loop
    server.close()
    loop.close()


# Commands.


class Translate(BaseCommand):
    """A command of somebody else's, with every step of the chain its own."""

    def request_to_dict(self, request: str, **kw: Any) -> dict[str, Any]:
        return {"text": request, **kw}

    def request_from_dict(self, data: dict[str, Any]) -> str:
        if "text" not in data:
            raise zerojson.BadRequest("Field text is required")
        text: str = data["text"]
        return text

    def real_process_request(self, request: str, *other_parts: Any) -> Any:
        if request == "fail":
            raise zerojson.RemoteError("no such word", code=42)
        return zerojson.Response(
            None, result=request.upper(), attachment=b"".join(map(bytes, other_parts)) or None
        )

    def response_to_dict(self, response: zerojson.Response) -> dict[str, Any]:
        return {"translation": response.result} if not response.code else {}

    def response_from_dict(self, data: dict[str, Any]) -> str:
        translation: str = data["translation"]
        return translation


class Later(Translate):
    async def real_process_request(self, request: str, *other_parts: Any) -> Any:
        await asyncio.wait_for(asyncio.sleep(0), 10)
        return super().real_process_request(request, *other_parts)


@pytest.mark.parametrize("kind", [Translate, Later])
def test_command_of_somebody_elses(kind: type[Translate], server: Upside) -> None:
    server.commands[b"TRANSLATE"] = kind(server)
    ours = kind()
    with helpers.Dealer(server.addresses[0]) as client:
        status, reply = client.ask(b"TRANSLATE", ours.request_to_wire("word"))
        assert status == b"OK"
        assert ours.response_from_wire(reply) == "WORD"
        _status, reply, attachment = client.ask(b"TRANSLATE", ours.request_to_wire("word"), b"x")
        assert (ours.response_from_wire(reply), attachment) == ("WORD", b"x")
        with pytest.raises(zerojson.RemoteError, match="no such word") as caught:
            ours.response_from_wire(client.ask(b"TRANSLATE", ours.request_to_wire("fail"))[1])
        assert caught.value.code == 42
        with pytest.raises(zerojson.BadRequest, match="Field text is required"):
            ours.response_from_wire(client.ask(b"TRANSLATE", b"{}")[1])
        with pytest.raises(zerojson.BadRequest):
            ours.response_from_wire(client.ask(b"TRANSLATE", b"no JSON")[1])
        assert client.call("any", "later")["result"] == "later"


def test_chain_of_a_command() -> None:
    """Each step calls the next, so that any may be overridden."""
    seen: list[str] = []

    class Seen(Translate):
        def __getattribute__(self, name: str) -> Any:
            if name.startswith(("request_", "response_", "real_")):
                seen.append(name)
            return super().__getattribute__(name)

    command = Seen()
    wire = command.request_to_wire("word", tone="high")
    assert json.loads(wire) == {"text": "word", "tone": "high", "version": "1.0"}
    [reply] = command.process_request(wire)
    assert command.response_from_wire(reply) == "WORD"
    assert seen == [
        "request_to_wire",
        "request_to_dict",
        "request_from_wire",
        "request_from_dict",
        "real_process_request",
        "response_to_wire",
        "response_to_dict",
        "response_from_wire",
        "response_from_dict",
    ]


def test_base_command() -> None:
    command = BaseCommand()
    assert command.server is None
    assert command.response_to_dict(zerojson.Response(None, result=1)) == {}
    assert json.loads(command.response_to_wire(zerojson.Response(None))) == {"code": 0}
    for call in (
        lambda: command.request_to_wire(None),
        lambda: command.request_from_wire(b"{}"),
        lambda: command.real_process_request(None),
        lambda: command.response_from_wire(b'{"code": 0}'),
    ):
        with pytest.raises(NotImplementedError):
            call()


def test_call_command() -> None:
    command = CallCommand()
    request = zerojson.Request("com.foo", "bar", args=[1], extensions={"a": 1})
    wire = command.request_to_wire(request, session_id="id")
    assert json.loads(wire) == {
        "version": "1.0",
        "interface": "com.foo",
        "method": "bar",
        "args": [1],
        "session_id": "id",
        "extensions": {"a": 1},
    }
    received = command.request_from_wire(wire)
    assert (received.interface, received.method, received.args) == ("com.foo", "bar", [1])
    assert (received.session_id, received.extensions) == ("id", {"a": 1})
    answered = command.response_to_wire(received.response({"b": 2}))
    assert json.loads(answered) == {"code": 0, "result": {"b": 2}}
    assert command.response_from_wire(answered).result == {"b": 2}
    refused = command.response_to_wire(received.error(5, "no"))
    assert json.loads(refused) == {"code": 5, "error": "no"}
    with pytest.raises(zerojson.AccessDenied, match="no"):
        command.response_from_wire(refused)


# The wire.


@pytest.mark.parametrize("data", [{}, {"a": None}, {"a": [1, 2.5, True, "é", {"b": []}]}, {"": ""}])
def test_dicts_there_and_back(data: dict[str, Any]) -> None:
    assert dict_from_wire(dict_to_wire(data, with_version=False)) == data
    assert dict_from_wire(dict_to_wire(data)) == {**data, "version": "1.0"}
    assert isinstance(dict_to_wire(data), bytes)


@pytest.mark.parametrize("wire", [b"", b"{", b"[]", b"1", b"null", b'"a"', b"\xff", b'{"a": }'])
def test_what_is_no_dict(wire: bytes) -> None:
    with pytest.raises(zerojson.BadRequest):
        dict_from_wire(wire)


@pytest.mark.parametrize("data", [{"a": object()}, {"a": asyncio.sleep}])
def test_what_json_cannot_hold(data: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        dict_to_wire(data)
