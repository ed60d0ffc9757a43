"""Commands: from the bytes of a request to the bytes of its answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from pycom_core import (
    AccessDenied,
    BadRequest,
    BaseCommand,
    Future,
    RemoteError,
    Request,
    Response,
    constants,
)
from pycom_core.loops._waiting import settle
from pycom_core.messages import Attachment

UNKNOWN = {"code": constants.ERROR_UNKNOWN, "error": "Unknown error during request"}
REQUEST = Request("com.foo", "bar")


class Command(BaseCommand):
    """A command that takes any object, and answers with the result of `work`."""

    def __init__(self, work: Callable[..., Any]) -> None:
        super().__init__()
        self.work = work

    def request_from_dict(self, data: dict[str, Any]) -> Any:
        return data

    def real_process_request(self, request: Any, *other_parts: Attachment) -> Any:
        return self.work(request, *other_parts)

    def response_to_dict(self, response: Response) -> dict[str, Any]:
        return {"result": response.result, "session": response.session_id}


class Waiting(Command):
    """Does its work in a coroutine."""

    async def real_process_request(self, request: Any, *other_parts: Attachment) -> Any:
        return self.work(request, *other_parts)


def answering(*args: Any, **kwargs: Any) -> Command:
    """A command that gives this response."""
    return Command(lambda request: Response(*args, **kwargs))


def raising(error: BaseException) -> Callable[..., Any]:
    def work(request: Any) -> None:
        raise error

    return work


def run(command: BaseCommand, *parts: Attachment) -> list[Attachment]:
    return asyncio.run(processed(command, b"{}", *parts))


async def processed(command: BaseCommand, *parts: Attachment) -> Any:
    return await settle(command.process_request(*parts))


def answer(command: BaseCommand) -> dict[str, Any]:
    """The JSON of an answer that has no attachment."""
    [body] = run(command)
    data: dict[str, Any] = json.loads(bytes(body))
    return data


# Processing.


@pytest.mark.parametrize("kind", [Command, Waiting])
def test_request_and_all_that_came_with_it(kind: type[Command]) -> None:
    seen: list[Any] = []

    def work(*parts: Any) -> Response:
        seen.extend(parts)
        return Response(None)

    asyncio.run(processed(kind(work), b'{"a": 1}', b"one", memoryview(b"two")))
    assert seen == [{"a": 1}, b"one", b"two"]


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b"\xff"])
def test_what_is_no_object_is_not_processed(body: bytes) -> None:
    command = Command(raising(AssertionError("processed")))
    [reply] = command.process_request(body)
    assert json.loads(bytes(reply))["code"] == BadRequest.code


def later() -> Future:
    """A response that is given once somebody waits."""
    future = Future(REQUEST)
    asyncio.get_running_loop().call_soon(future.response, 1)
    return future


async def slow() -> Response:
    await asyncio.sleep(0)
    return Response(None, 1)


def task() -> asyncio.Task[Response]:
    return asyncio.create_task(slow())


@pytest.mark.parametrize("work", [lambda: Response(None, 1), slow, later, task])
def test_whatever_it_answers_with(work: Callable[[], Any]) -> None:
    assert answer(Command(lambda request: work()))["result"] == 1


def test_called_by_hand_it_gives_its_result() -> None:
    [body] = answering(None, 1).process_request(b"{}")
    assert json.loads(body)["result"] == 1


def test_called_by_hand_it_gives_a_future_of_what_comes_later() -> None:
    future = Future(REQUEST)
    promised = Command(lambda request: future).process_request(b"{}")
    assert isinstance(promised, Future)
    came: list[Any] = []
    promised.add_done_callback(came.append)
    assert came == []
    future.response(1, b"blob")
    [[body, blob]] = came
    assert (json.loads(body)["result"], bytes(blob)) == (1, b"blob")


@pytest.mark.parametrize("work", [lambda: Response(None, 1), slow, later, task])
def test_command_in_a_coroutine_awaits_the_rest_of_the_chain(work: Callable[[], Any]) -> None:
    class Framed(Command):
        async def process_request(self, json_body: Attachment, *other_parts: Attachment) -> Any:
            return [*await super().process_request(json_body, *other_parts), b"seen"]

    body, seen = run(Framed(lambda request: work()))
    assert (json.loads(bytes(body))["result"], seen) == (1, b"seen")


# Answers.


def test_code_beside_what_the_command_says() -> None:
    assert answer(answering(None, "a", session_id="id")) == {
        "code": 0,
        "result": "a",
        "session": "id",
    }


def test_error_that_is_answered() -> None:
    refused = answer(answering(None, code=77, message="teapot"))
    assert (refused["code"], refused["error"]) == (77, "teapot")
    assert answer(answering(None, code=77))["error"] == ""


@pytest.mark.parametrize("where", ["request_from_dict", "real_process_request"])
@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (AccessDenied("not you"), AccessDenied.code, "not you"),
        (RemoteError("teapot", code=77), 77, "teapot"),
        (RemoteError("zero", code=0), constants.ERROR_UNKNOWN, "zero"),
        (RemoteError(), constants.ERROR_UNKNOWN, ""),
    ],
)
def test_error_that_is_raised(
    error: RemoteError, code: int, text: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = answering(None)
    monkeypatch.setattr(command, where, raising(error))
    refused = answer(command)
    assert (refused["code"], refused["error"]) == (code, text)


@pytest.mark.parametrize("error", [KeyError("secret"), asyncio.CancelledError()])
def test_other_exceptions_are_not_the_commands_to_answer(error: BaseException) -> None:
    with pytest.raises(type(error)):
        run(Command(raising(error)))


@pytest.mark.parametrize("attachment", [b"", b"data", bytearray(b"data"), memoryview(b"data")])
def test_attachment_is_the_second_frame(attachment: Attachment) -> None:
    _body, frame = run(answering(None, attachment=attachment))
    assert bytes(frame) == bytes(attachment)


@pytest.mark.parametrize(
    "response",
    [
        lambda: Response(REQUEST, object(), session_id="id"),
        lambda: Response(REQUEST, {"a": [object()]}, session_id="id"),
        lambda: Response(REQUEST, 1, session_id="id", attachment="text"),  # type: ignore[arg-type]
        lambda: Response(REQUEST, object(), session_id="id", attachment=b"left behind"),
        lambda: Response(REQUEST, object(), session_id="id", code=77, message="teapot"),
    ],
)
def test_what_cannot_be_sent(
    response: Callable[[], Response], caplog: pytest.LogCaptureFixture
) -> None:
    refused = answer(Command(lambda request: response()))
    assert refused == {**UNKNOWN, "result": None, "session": "id"}
    [record] = caplog.records
    assert record.message == "com.foo.bar returned what cannot be sent"
    assert record.exc_info is not None


def test_command_is_named_where_no_request_is(caplog: pytest.LogCaptureFixture) -> None:
    answer(answering(None, object()))
    assert "Command returned what cannot be sent" in caplog.text


# The caller's side.


class Reading(BaseCommand):
    def request_to_dict(self, request: Any, **kw: Any) -> dict[str, Any]:
        return {"request": request}

    def response_from_dict(self, data: dict[str, Any]) -> Any:
        return data["result"]


def test_answer() -> None:
    assert Reading().response_from_wire(b'{"code": 0, "result": [1]}') == [1]
    assert Reading().response_from_wire(memoryview(b'{"code": 0, "result": 2}')) == 2


def test_error_is_raised_and_not_read() -> None:
    with pytest.raises(AccessDenied, match="not you"):
        Reading().response_from_wire(b'{"code": 5, "error": "not you"}')


@pytest.mark.parametrize("wire", [b"[]", b"no JSON", b"", b"{}", b'{"code": "0", "result": 1}'])
def test_answer_that_is_none(wire: bytes) -> None:
    with pytest.raises(RemoteError):
        Reading().response_from_wire(wire)


def test_request_that_cannot_be_packed() -> None:
    with pytest.raises(TypeError):
        Reading().request_to_wire(object())
