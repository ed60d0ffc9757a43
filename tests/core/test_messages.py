"""Requests, responses, sessions and futures."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from pycom_core import Future, Identity, Request, Response, Session


def make(**others: Any) -> Request:
    return Request("com.foo", "bar", **others)


def test_request() -> None:
    request = Request("com.foo", "bar", "id", [1], {"a": 1}, b"\x00")
    assert (request.interface, request.method, request.session_id) == ("com.foo", "bar", "id")
    assert (request.args, request.extensions, request.attachment) == ([1], {"a": 1}, b"\x00")
    assert request.session is request.identity is request.deadline is None


def test_request_of_little() -> None:
    request = make()
    assert (request.args, request.extensions, request.attachment) == (None, {}, None)
    assert request.session_id is None
    assert make(extensions=None).extensions is not make().extensions


def test_session_id_is_that_of_the_session_once_there_is_one() -> None:
    request = make(session_id="asked")
    assert request.response(1).session_id is None
    request.session = Session("opened")
    assert request.session_id == "opened"
    assert request.response(1).session_id == "opened"
    assert request.error(1).session_id == "opened"


def test_response() -> None:
    request = make()
    response = request.response({"a": 1}, b"\x00")
    assert response.request is request
    assert (response.result, response.attachment) == ({"a": 1}, b"\x00")
    assert (response.code, response.message, response.extensions) == (0, None, {})


def test_error() -> None:
    response = make().error(77, message="teapot")
    assert (response.code, response.message, response.result) == (77, "teapot", None)
    assert make().error(77).message is None


@pytest.mark.parametrize("context", [Request.context, Request.async_context])
def test_context_only_where_a_server_handles_it(context: Callable[[Request], Any]) -> None:
    with pytest.raises(RuntimeError, match="a request that a server is handling"):
        context(make())


def test_requests_and_responses_are_themselves() -> None:
    assert make() != make()
    assert len({make(), make(), Response(None)}) == 3
    for message in (make(), Response(None)):
        with pytest.raises(AttributeError):
            message.anything = 1  # type: ignore[union-attr]


def test_session() -> None:
    session = Session("id", {"a": 1}, b=2)
    assert (session.session_id, session) == ("id", {"a": 1, "b": 2})
    session.discard()
    assert (session, session.discarded) == ({}, True)


def test_identity() -> None:
    anna = Identity("anna", ["reader"])  # type: ignore[arg-type]
    assert anna == Identity("anna", ("reader",))
    assert anna.roles == ("reader",)
    assert Identity("anna").roles == ()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        anna.name = "bert"  # type: ignore[misc]


@pytest.mark.parametrize("wrong", [b"admin", [3], ("reader", None)])
def test_roles_that_are_no_names_are_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="roles of an Identity must be names, not .*, which has"):
        Identity("bob", wrong)


def test_roles_that_are_one_text_are_refused() -> None:
    with pytest.raises(
        TypeError, match=r"roles of an Identity must be several .*'admin'; write \('admin',\)"
    ):
        Identity("bob", roles="admin")  # type: ignore[arg-type]


# Futures.


def completed(future: Future) -> Response:
    got: list[Response] = []
    future.add_done_callback(got.append)
    [response] = got
    return response


def test_future_response() -> None:
    future = Future(make())
    future.response([1], b"\x00")
    response = completed(future)
    assert (response.result, response.attachment, response.code) == ([1], b"\x00", 0)
    assert response.request is future.request


def test_future_error() -> None:
    future = Future(make())
    future.error(77, "teapot")
    assert (completed(future).code, completed(future).message) == (77, "teapot")


def test_future_exception(caplog: pytest.LogCaptureFixture) -> None:
    future = Future(make())
    try:
        raise KeyError("secret")
    except KeyError:
        future.exception()
    response = completed(future)
    assert (response.code, response.message) == (1, "Unknown error during request")
    assert "com.foo.bar failed" in caplog.text
    assert "KeyError: 'secret'" in caplog.text


@pytest.mark.parametrize("first", ["response", "error"])
@pytest.mark.parametrize("second", ["response", "error", "exception"])
def test_future_is_completed_once(first: str, second: str) -> None:
    future = Future(make())
    getattr(future, first)(1)
    with pytest.raises(RuntimeError, match=r"call of com\.foo\.bar is already answered"):
        getattr(future, second)(*([] if second == "exception" else [2]))
    response = completed(future)
    assert (response.result, response.code) == ((1, 0) if first == "response" else (None, 1))


def test_future_completed_by_many_threads_is_completed_once() -> None:
    future = Future(make())
    barrier = threading.Barrier(8)
    refused: list[RuntimeError] = []
    got: list[Response] = []
    future.add_done_callback(got.append)

    def complete(number: int) -> None:
        barrier.wait(30)
        try:
            future.response(number)
        except RuntimeError as error:
            refused.append(error)

    threads = [threading.Thread(target=complete, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(refused)) == (1, 7)


def test_callbacks_before_and_after() -> None:
    future = Future(make())
    got: list[Any] = []
    future.add_done_callback(lambda response: got.append(("before", response.result)))
    future.response(1)
    future.add_done_callback(lambda response: got.append(("after", response.result)))
    assert got == [("before", 1), ("after", 1)]
