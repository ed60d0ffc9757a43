"""Frames and JSON from strangers: the codec returns, or raises `BadRequest`, and nothing else."""

from __future__ import annotations

import array
import asyncio
import json
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import pycom
from pycom_core import LocalTransport, Runtime, ServiceServer, Settings
from pycom_core._steps import finish
from pycom_core.client import _conversations as conversations
from pycom_core.errors import BadRequest, PycomError, RemoteError
from pycom_core.messages import Request, Response
from pycom_core.wire import _codec as codec
from pycom_plugins.call.command import CallCommand

#: Text as Python has it: with what UTF-8 cannot hold.
TEXT = st.text(st.characters(exclude_categories=()))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXT, values, max_size=3),
    max_leaves=10,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=4)
FRAMES = st.lists(st.binary(max_size=8), max_size=8)

ENVELOPE_KEYS = ("version", "interface", "method", "args", "session_id", "extensions")
DEADLINE = "org.pycom.deadline"
EXTENSIONS = st.dictionaries(
    st.sampled_from([DEADLINE, "org.pycom.auth", "other"]), JSON, max_size=3
)
#: Objects that are nearly a request.
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "version": JSON,
        "interface": st.just("com.foo.codec") | JSON,
        "method": st.sampled_from(["echo", "add", "introspect", "__init__"]) | JSON,
        "args": st.dictionaries(st.sampled_from(["a", "b"]), JSON) | JSON,
        "session_id": JSON,
        "extensions": EXTENSIONS | JSON,
    },
)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


# Frames.


@given(FRAMES)
def test_frames_are_parted_at_the_first_empty_one(frames: list[bytes]) -> None:
    if b"" not in frames:
        with pytest.raises(BadRequest, match="delimiter"):
            codec.split_frames(frames)
        return
    address, payload = codec.split_frames(frames)
    assert [*address, b"", *payload] == frames
    assert b"" not in address


def fields(count: int) -> memoryview:
    """`count` numbers that do not lie in one piece."""
    return memoryview(b"".join(bytes([number, 0]) for number in range(count)))[::2]


BUFFERS: list[tuple[Any, bytes]] = [
    (b"ab", b"ab"),
    (bytearray(b"ab"), b"ab"),
    (memoryview(b"ab"), b"ab"),
    (array.array("H", [1, 2]), array.array("H", [1, 2]).tobytes()),
    (fields(3), b"\0\1\2"),
    (fields(0), b""),
    (memoryview(b""), b""),
    (np.zeros(2, dtype="u1"), b"\0\0"),
    (np.arange(4, dtype="u1").reshape(2, 2), b"\0\1\2\3"),
    (np.zeros((0, 3)), b""),
    (np.zeros((3, 0, 2), dtype=">i4"), b""),
    (np.uint8(7), b"\7"),
    (np.array(7, dtype="u1"), b"\7"),
    (np.arange(6, dtype="u1")[::2], b"\0\2\4"),
    (np.arange(4, dtype="u1").reshape(2, 2).T, b"\0\2\1\3"),
    (np.array([1, 2], dtype=">u2"), b"\0\1\0\2"),
    (np.array([1j]), np.array([1j]).tobytes()),
    (np.array([(1, 2)], dtype=[("a", "u1"), ("b", "u1")]), b"\1\2"),
]


@pytest.mark.parametrize(("value", "expected"), BUFFERS, ids=lambda one: type(one).__name__)
def test_what_lends_its_bytes_is_a_frame(value: Any, expected: bytes) -> None:
    frame = codec.as_frame(value)
    assert bytes(frame) == expected
    assert memoryview(frame).format == "B"
    assert memoryview(frame).contiguous


def test_what_lies_in_one_piece_is_not_copied() -> None:
    value = np.zeros((2, 3))
    frame = codec.as_frame(value)
    value[1, 2] = 1
    assert bytes(frame) == value.tobytes()


@pytest.mark.parametrize(
    "value", ["text", 3, None, [1], object(), {"a": 1}, np.array(["2026"], dtype="datetime64[D]")]
)
def test_what_holds_no_bytes_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError, match="An attachment must be bytes, or an object that lends"):
        codec.as_frame(value)


# JSON.


@given(st.binary(max_size=64))
@example(b"")
@example(b"\xff")
@example(b"\xef\xbb\xbf{}")
@example(b"1e999")
@example(b"\xef\xbb\xbf")
@example(b'{"a": 1e999, "b": -1e999, "c": 1e-999}')
@example(b'{"a": 1, "a": 2}')
@example(b'{"a": "\\ud800", "\\udfff": NaN}')
@example(b'{"a": "\xed\xa0\x80"}')
@example(b'{"a": "\\u0000\x00"}')
@example(b'{"a": -0, "b": 01}')
@example(b'{"a": ' + b"9" * 5000 + b"}")
@example(nested(200_000))
@example(b'{"a":' + nested(200_000) + b"}")
@example(b'{"a":' * 200_000)
def test_bytes_are_an_object_or_a_bad_request(data: bytes) -> None:
    try:
        found = codec.dict_from_wire(data)
    except BadRequest:
        return
    assert type(found) is dict


@given(st.binary(max_size=64))
def test_any_buffer_is_read(data: bytes) -> None:
    def read(buffer: Any) -> Any:
        try:
            return codec.dict_from_wire(buffer)
        except BadRequest as error:
            return str(error)

    # repr, as NaN is not equal to itself
    assert repr(read(data)) == repr(read(bytearray(data))) == repr(read(memoryview(data)))


@given(JSON)
def test_json_that_is_no_object_is_a_bad_request(value: Any) -> None:
    data = json.dumps(value).encode()
    if isinstance(value, dict):
        assert codec.dict_from_wire(data) == value
    else:
        with pytest.raises(BadRequest, match="Expected a JSON object, got"):
            codec.dict_from_wire(data)


@given(OBJECTS)
@example({"lone surrogate": "\ud800"})
@example({"\udfff": "as a key"})
@example({"big": 2**100})
def test_objects_survive_the_wire(data: dict[str, Any]) -> None:
    assert codec.dict_from_wire(codec.dict_to_wire(data, with_version=False)) == data
    assert json.loads(codec.dict_to_wire(data)) == {**data, "version": "1.0"}


@given(OBJECTS, st.booleans())
def test_text_goes_out_as_utf_8(data: dict[str, Any], with_version: bool) -> None:
    codec.dict_to_wire(data, with_version).decode("utf-8")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_lacks_are_read_and_leave_as_null(number: float) -> None:
    data = json.dumps({"number": number}).encode()
    read = codec.dict_from_wire(data)
    assert repr(read["number"]) == repr(number)
    assert json.loads(codec.dict_to_wire(read))["number"] is None


@pytest.mark.parametrize("value", [object(), {(1, 2): 3}, [lambda: None]])
def test_what_json_cannot_hold_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError, match="^value"):
        codec.dict_to_wire({"value": value})


# Requests and responses.

CALL = CallCommand()


def received(frames: list[bytes]) -> Response:
    """Return the response that a client reads from a reply to a CALL."""
    caller: Any = SimpleNamespace(views=False, time_left=lambda timeout: timeout)
    request = Request("com.foo.codec", "bar")
    talk = conversations.send_command(caller, "somewhere", b"CALL", CALL, request, 5000, None)
    next(talk)
    answer = finish(talk, frames)
    response: Response = answer[0] if isinstance(answer, tuple) else answer
    return response


@given(ENVELOPES | OBJECTS)
@example({"interface": "a", "method": "b", "extensions": None})
@example({"interface": "a", "method": "b", "extensions": False})
@example({"interface": "a", "method": "b", "extensions": []})
def test_an_object_is_a_request_or_a_bad_request(data: dict[str, Any]) -> None:
    try:
        request = CALL.request_from_dict(data)
    except BadRequest:
        return
    assert (request.interface, request.method) == (data["interface"], data["method"])
    assert request.args == data.get("args")
    extensions = data.get("extensions")
    assert type(request.extensions) is dict
    assert request.extensions == ({} if extensions is None else extensions)


@given(st.builds(Request, TEXT, TEXT, st.none() | TEXT, JSON, st.none() | OBJECTS))
def test_requests_survive(request: Request) -> None:
    data = CALL.request_to_dict(request, request.session_id)
    again = CALL.request_from_dict(codec.dict_from_wire(codec.dict_to_wire(data)))
    for name in ("interface", "method", "session_id", "args", "extensions"):
        assert getattr(again, name) == getattr(request, name)


RESPONSES = st.builds(
    Response, st.none(), result=JSON, session_id=st.none() | TEXT, extensions=st.none() | OBJECTS
)


@given(RESPONSES)
def test_responses_survive(response: Response) -> None:
    data = {**codec.status_to_dict(response), **CALL.response_to_dict(response)}
    wire = codec.dict_to_wire(data, with_version=False)
    again = received([b"OK", wire])
    for name in ("result", "session_id", "extensions"):
        assert getattr(again, name) == getattr(response, name)


@given(st.integers().filter(bool), TEXT)
def test_errors_survive(code: int, message: str) -> None:
    data = codec.status_to_dict(Response(None, code=code, message=message))
    wire = codec.dict_to_wire(data, with_version=False)
    with pytest.raises(RemoteError) as raised:
        received([b"OK", wire])
    assert raised.value.code == code
    assert str(raised.value) == (message if message else f"Remote error #{code}")


ANSWERS = st.fixed_dictionaries(
    {}, optional={"code": st.integers(0, 9) | JSON, "error": JSON, "extensions": JSON}
)


@given(FRAMES | ANSWERS.map(lambda answer: [b"OK", json.dumps(answer).encode()]))
def test_a_client_survives_any_answer(frames: list[bytes]) -> None:
    try:
        response = received(frames)
    except PycomError:
        return
    assert isinstance(response, Response)


# A whole server, without sockets.


@pycom.interface("com.foo.codec")
class Example(pycom.Service):
    @pycom.method
    def echo(self, request: Request) -> Any:
        return request.args

    @pycom.method
    def odd(self, request: Request) -> Any:
        return {None: [np.float64(0.5), math.nan, "\ud800"], True: np.bool_(True)}

    @pycom.method
    def refused(self, request: Request) -> Any:
        return {"items": [1, {"price": 1j}]}

    @pycom.method(results=("shape", "numbers"), attachments=(None, "numbers"))
    def empty(self, request: Request) -> Any:
        return (0, 3), np.zeros((0, 3))

    @pycom.method
    def add(self, request: Request, a: Any, b: Any = 1) -> Any:
        return a + b


@pytest.fixture(scope="module")
def server() -> ServiceServer:
    runtime = Runtime(Settings(), transport=LocalTransport())
    return ServiceServer(["local://any"], [Example], runtime)


def answer(server: ServiceServer, frames: list[bytes]) -> dict[str, Any]:
    """The response object, of an answer that is as it should be."""
    address, *rest = asyncio.run(server.answer([b"client", *frames]))
    assert address == b"client"
    envelope = rest.index(b"")
    assert rest[:envelope] == frames[: frames.index(b"") if b"" in frames else 0]
    status, body, *attachment = rest[envelope + 1 :]
    assert status == b"OK"
    assert len(attachment) < 2
    assert server.in_flight == 0
    found = codec.dict_from_wire(body)
    assert type(found["code"]) is int
    if found["code"]:
        assert found["error"]
    return found


def call_of(method: str) -> list[bytes]:
    return [b"", b"CALL", codec.dict_to_wire({"interface": "com.foo.codec", "method": method})]


def test_a_server_answers_with_values_that_are_not_jsons_own(server: ServiceServer) -> None:
    odd = answer(server, call_of("odd"))
    assert odd["result"] == {"null": [0.5, None, "\ud800"], "true": True}


def test_a_server_answers_with_an_empty_array_as_attachment(server: ServiceServer) -> None:
    frames = asyncio.run(server.answer([b"client", *call_of("empty")]))
    assert codec.dict_from_wire(frames[3])["result"] == {"shape": [0, 3]}
    assert bytes(frames[4]) == b""


def test_a_server_logs_where_a_result_is_no_json(
    server: ServiceServer, caplog: pytest.LogCaptureFixture
) -> None:
    found = answer(server, call_of("refused"))
    assert found == {"code": 1, "error": "Unknown error during request"}
    assert "com.foo.codec.refused returned what cannot be sent" in caplog.text
    assert "result.items[1].price: complex is nothing that JSON knows" in caplog.text


COMMANDS = st.sampled_from([b"CALL", b"call", b"FINISH"]) | st.binary(max_size=4)


@given(
    FRAMES
    | st.lists(
        st.just(b"") | COMMANDS | ENVELOPES.map(lambda data: json.dumps(data).encode()), max_size=6
    )
)
def test_a_server_answers_any_frames(server: ServiceServer, frames: list[bytes]) -> None:
    answer(server, frames)


@given(ENVELOPES)
@example({"interface": "com.foo.codec", "method": "echo", "extensions": {DEADLINE: 10**400}})
@example({"interface": "com.foo.codec", "method": "echo", "extensions": {DEADLINE: math.nan}})
@example({"interface": "com.foo.codec", "method": "echo", "extensions": {DEADLINE: math.inf}})
@example({"interface": "\ud800", "method": "x"})
@example({"interface": "com.foo.codec", "method": "\ud800"})
@example({"interface": "com.foo.codec", "method": "echo", "args": "\ud800"})
@example({"interface": "com.foo.codec", "method": "add", "args": {"a": "\ud800"}})
def test_a_server_answers_any_envelope(server: ServiceServer, data: dict[str, Any]) -> None:
    found = answer(server, [b"", b"CALL", json.dumps(data).encode()])
    if data.get("interface") == "com.foo.codec" and data.get("method") == "add":
        return  # the method itself may fail
    assert found["code"] in (0, 2, 4, 5, 7)  # 5: a token that is none
