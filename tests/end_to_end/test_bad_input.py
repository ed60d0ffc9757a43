"""Bad input from strangers: each item is answered with a sentence, and the process lives on."""

from __future__ import annotations

import contextlib
import json
import random
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import helpers
import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

MEGABYTE = 10**6
DEPTH = 200_000
NESTED = b"[" * DEPTH + b"]" * DEPTH
NAMESERVER = "org.pycom.nameserver"
DEADLINE = "org.pycom.deadline"
TOKEN = "org.pycom.auth"


class Target(NamedTuple):
    """A process, and a call that it answers well."""

    process: helpers.Service
    interface: str
    method: str
    args: dict[str, Any]
    in_file: bool  #: True if it keeps its data in SQLite, which holds no lone surrogates

    def body(self, **changes: Any) -> bytes:
        """The good call as JSON, with changes."""
        good = {"interface": self.interface, "method": self.method, "args": self.args}
        return json.dumps({**good, **changes}).encode()

    def ask(self, *payload: bytes) -> dict[str, Any]:
        """The answer to a payload, after which the good call still is answered."""
        with helpers.Dealer(self.process.address) as dealer:
            answer = helpers.answer_in(dealer.ask(*payload))
            assert helpers.answer_in(dealer.ask(b"CALL", self.body()))["code"] == 0
        return answer

    def refuses(self, code: int, sentence: str, *payload: bytes) -> None:
        """Check the answer to a bad payload."""
        answer = self.ask(*payload)
        assert answer["code"] == code
        assert sentence in answer["error"]
        assert len(answer["error"]) < 1000


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Target]]:
    """A nameserver and a service, with their data in memory and in a file."""
    file = f"sqlite://{tmp_path_factory.mktemp('sqlite')}"
    stored = {
        "PYCOM_NAMESERVER_BACKEND": f"{file}/services",
        "PYCOM_SESSION_STORE": f"{file}/sessions",
    }
    found = {}
    with helpers.Processes() as processes:
        for suffix, settings in (("", {}), (" on sqlite", stored)):
            nameserver = processes.nameserver(**settings)
            service = processes.service("vector_services", nameserver=nameserver, **settings)
            for name, target in (
                ("nameserver", (nameserver, NAMESERVER, "list_services", {})),
                ("service", (service, "com.foo.example", "bar", {"name": "x"})),
            ):
                found[name + suffix] = Target(*target, in_file=bool(settings))
        yield found


@pytest.fixture(params=["service", "nameserver"])
def target(request: pytest.FixtureRequest, targets: dict[str, Target]) -> Target:
    return targets[request.param]


@pytest.fixture(params=["service", "service on sqlite"])
def service(request: pytest.FixtureRequest, targets: dict[str, Target]) -> Target:
    return targets[request.param]


@pytest.fixture(params=["nameserver", "nameserver on sqlite"])
def nameserver(request: pytest.FixtureRequest, targets: dict[str, Target]) -> Target:
    return targets[request.param]


# Bodies.


@pytest.mark.parametrize(
    ("sentence", "payload"),
    [
        ("No command", []),
        ("No body", [b"CALL"]),
        ("Cannot decode JSON", [b"CALL", b""]),
        ("Cannot decode JSON", [b"CALL", b"{nope"]),
        ("Cannot decode JSON", [b"CALL", b'{"interface": "x"}}']),
        ("UTF-8", [b"CALL", b'{"interface": "\xff"}']),
        ("UTF-8", [b"CALL", '{"interface": "x"}'.encode("utf-16")]),
        ("JSON object, got an array", [b"CALL", b"[]"]),
        ("JSON object, got a string", [b"CALL", b'"CALL"']),
        ("JSON object, got a number", [b"CALL", b"1"]),
        ("JSON object, got a boolean", [b"CALL", b"true"]),
        ("JSON object, got null", [b"CALL", b"null"]),
        ("nested too deep", [b"CALL", NESTED]),
        ("nested too deep", [b"CALL", b'{"args":' + NESTED + b"}"]),
        ("nested too deep", [b"CALL", b'{"a":' * DEPTH + b"1" + b"}" * DEPTH]),
        ("JSON", [b"CALL", b"[" * DEPTH]),
        ("Field interface is required", [b"CALL", b"{}"]),
        ("Field method is required", [b"CALL", b'{"interface": "x"}']),
    ],
)
def test_bodies(target: Target, sentence: str, payload: list[bytes]) -> None:
    target.refuses(4, sentence, *payload)


OBJECT, ARRAY = {"a": 1}, [1]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("interface", value) for value in (None, 1, 1.5, True, OBJECT, ARRAY)),
        *(("method", value) for value in (None, 1, 1.5, True, OBJECT, ARRAY)),
        *(("session_id", value) for value in (1, 1.5, True, OBJECT, ARRAY)),
        *(("extensions", value) for value in (1, "text", True, ARRAY)),
        *(("args", value) for value in (1, "text", True, ARRAY)),
    ],
)
def test_wrong_types(target: Target, key: str, value: Any) -> None:
    fault = "Expected dictionary as argument" if key == "args" else f"Field {key} must be"
    target.refuses(4, fault, b"CALL", target.body(**{key: value}))


@pytest.mark.parametrize(
    "left", ["5000", True, OBJECT, ARRAY, float("nan"), float("inf"), 10**400], ids=repr
)
def test_deadlines_that_are_none(target: Target, left: Any) -> None:
    body = target.body(extensions={DEADLINE: left})
    target.refuses(4, f"{DEADLINE} must be a number", b"CALL", body)


@pytest.mark.parametrize("left", [-1, -1e9])
def test_deadlines_that_have_passed(target: Target, left: float) -> None:
    target.refuses(7, "deadline", b"CALL", target.body(extensions={DEADLINE: left}))


@pytest.mark.parametrize("token", ["unknown", "", 1, True, OBJECT, ARRAY, "\ud800", "x" * MEGABYTE])
def test_tokens_that_are_none(service: Target, token: Any) -> None:
    extensions = {TOKEN: token}
    body = service.body(interface="com.foo.secret", method="whoami", extensions=extensions)
    answer = service.ask(b"CALL", body)
    assert answer["code"] == 5
    assert len(answer["error"]) < 1000


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"version": None},
        {"extensions": None},
        {"extensions": {DEADLINE: None}},
        {"extensions": {"unknown": OBJECT}},
        {"session_id": None},
        {"session_id": "unknown, but the interface is stateless"},
        {"unknown": OBJECT},
    ],
)
def test_what_is_no_fault(target: Target, changes: dict[str, Any]) -> None:
    assert target.ask(b"CALL", target.body(**changes))["code"] == 0


def test_lone_surrogates_are_echoed(service: Target) -> None:
    """JSON can write them and UTF-8 cannot; 0.6.0 sends them."""
    answer = service.ask(b"CALL", service.body(args={"name": "x", "value": "\ud800"}))
    assert answer["result"] == {"x": "\ud800"}


# Commands and frames.


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (b"DANCE", "DANCE"),
        (b"call", "call"),
        (b"FINISH", "FINISH"),
        (b"", ""),
        (b"\x00\xff", r"\xff"),
        (b"C" * MEGABYTE, "CCC"),
    ],
)
def test_unknown_commands(target: Target, command: bytes, shown: str) -> None:
    target.refuses(4, "Unknown command: ", command, target.body())
    target.refuses(4, shown, command, target.body())


def test_a_thousand_frames(target: Target) -> None:
    target.refuses(4, "Expected 2-3 parts, got 1002", b"CALL", target.body(), *[b"x"] * 1000)


def test_a_thousand_frames_in_the_return_address(target: Target) -> None:
    envelope = [b"x"] * 1000
    with helpers.Dealer(target.process.address) as dealer:
        dealer.send(*envelope, b"", b"CALL", target.body())
        reply = dealer.receive()
    assert reply[:1001] == [*envelope, b""]
    assert helpers.answer_in(reply[1001:])["code"] == 0


@pytest.mark.parametrize("frames", [[b"CALL", b"{}"], [b"x"], [b"x"] * 1000])
def test_a_missing_delimiter(target: Target, frames: list[bytes]) -> None:
    with helpers.Dealer(target.process.address) as dealer:
        dealer.send(*frames)
        delimiter, *reply = dealer.receive()
        assert delimiter == b""
        answer = helpers.answer_in(reply)
        assert answer["code"] == 4
        assert "delimiter" in answer["error"]
        assert helpers.answer_in(dealer.ask(b"CALL", target.body()))["code"] == 0


def test_random_frames(target: Target) -> None:
    chance = random.Random(1)
    with helpers.Dealer(target.process.address) as dealer:
        for _ in range(300):
            known = [b"", b"CALL", target.body(), chance.randbytes(chance.randrange(100))]
            dealer.send(*chance.choices(known, k=chance.randrange(1, 8)))
            reply = dealer.receive()
            helpers.answer_in(reply[reply.index(b"") + 1 :])


def test_raw_bytes_on_the_port(target: Target) -> None:
    """Bytes that are not ZMTP, or that end within the greeting, do no harm."""
    address = urlsplit(target.process.address)
    chance = random.Random(2)
    sent = [
        b"GET / HTTP/1.1\r\nHost: example\r\n\r\n" * 10,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(500),  # TLS
        b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f",  # half a greeting
        b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03" + chance.randbytes(500),
        b"",
        *(chance.randbytes(chance.randrange(1, 10_000)) for _ in range(30)),
    ]
    plain = [socket.create_connection((address.hostname, address.port)) for _ in sent]
    try:
        for connection, data in zip(plain, sent, strict=True):
            with contextlib.suppress(OSError):  # cut off by the server, as it may be
                connection.sendall(data)
        assert target.ask(b"CALL", target.body())["code"] == 0
    finally:
        for connection in plain:
            connection.close()
    assert target.ask(b"CALL", target.body())["code"] == 0


# Names and arguments.


@pytest.mark.parametrize("name", ["", "no.such", "\ud800", "com.foo.example\x00", "x" * MEGABYTE])
def test_unknown_interfaces(target: Target, name: str) -> None:
    body = target.body(interface=name)
    target.refuses(4, "Unsupported interface: " + name[:100], b"CALL", body)


@pytest.mark.parametrize(
    "name",
    ["", "nope", "__init__", "__class__", "methods", "wrapped", "\ud800", "x" * MEGABYTE],
)
def test_unknown_methods(target: Target, name: str) -> None:
    target.refuses(2, "not found in interface", b"CALL", target.body(method=name))


def test_a_method_is_known_by_its_remote_name_alone(service: Target) -> None:
    service.refuses(2, "'impl' not found", b"CALL", service.body(method="impl"))


def test_a_missing_argument(service: Target) -> None:
    fault = "Argument 'name' is required for com.foo.example.bar"
    for args in ({}, None, {"value": 1}):
        service.refuses(4, fault, b"CALL", service.body(args=args))


def test_a_missing_attachment(service: Target) -> None:
    fault = "Attachment 'blob' is required"
    # An argument of that name is no attachment.
    for args in ({}, {"blob": "text"}):
        service.refuses(4, fault, b"CALL", service.body(method="decode", args=args))


def test_a_failed_check(service: Target) -> None:
    for number in ("3", 0, None):
        body = service.body(method="positive", args={"n": number})
        service.refuses(4, "argument 'n'", b"CALL", body)


def test_what_goes_wrong_inside_of_a_method_is_for_the_log(service: Target) -> None:
    """The method fails with a TypeError, as a list cannot be a key."""
    service.refuses(1, "Unknown error", b"CALL", service.body(args={"name": []}))
    service.process.wait_for("com.foo.example.bar failed\n(.*\n)*TypeError")


def test_sessions_that_are_not_there(service: Target) -> None:
    call = {"interface": "com.foo.stateful", "method": "incr", "args": None}
    for session_id in ("", "unknown", "\x00", "x" * MEGABYTE):
        service.refuses(6, "expired", b"CALL", service.body(**call, session_id=session_id))
    answer = service.ask(b"CALL", service.body(**call, session_id="\ud800"))
    assert answer["code"] == (4 if service.in_file else 6)


def test_a_session_that_was_discarded(service: Target) -> None:
    call = {"interface": "com.foo.stateful", "args": None}
    session_id = service.ask(b"CALL", service.body(**call, method="incr"))["session_id"]
    body = service.body(**call, method="reset", session_id=session_id)
    assert service.ask(b"CALL", body)["session_id"] == session_id
    body = service.body(**call, method="incr", session_id=session_id)
    service.refuses(6, "expired", b"CALL", body)


# The nameserver's methods.

#: Each would keep a backtracking matcher busy for longer than the universe is old.
EVIL = ["(a+)+$", "(a|aa)+$", "(a*)*$", "(.*a){20}$", "^(([a-z])+.)+[A-Z]([a-z])+$"]
EVIL += ["(x+x+)+y" * 100, "a{1000000000}"]
#: Small texts that ask for a huge automaton, which RE2 refuses to make.
HUGE = ["(a{1,1000}){1,1000}", "((a{0,100}){0,100}){0,100}"]
NO_EXPRESSION = ["(", "[", "*", "a**", "(?P<", "\\", "(?<!a)b", "(a)\\1", "\ud800", "a" * 100_000]


def list_services(nameserver: Target, **args: Any) -> dict[str, Any]:
    return nameserver.ask(b"CALL", nameserver.body(args=args))


def register(nameserver: Target, **changes: Any) -> dict[str, Any]:
    good = {"address": "tcp://127.0.0.1:9", "service": "/bad/input", "interfaces": ["bad.input"]}
    return nameserver.ask(b"CALL", nameserver.body(method="register", args={**good, **changes}))


@pytest.fixture
def long_name(nameserver: Target) -> str:
    name = "a" * 1000 + "!"
    assert register(nameserver, service=name, interfaces=[name])["code"] == 0
    return name


@pytest.mark.parametrize("argument", ["interface", "service"])
@pytest.mark.parametrize("expression", [*EVIL, *HUGE, *NO_EXPRESSION], ids=lambda text: text[:20])
def test_expressions_of_strangers(
    nameserver: Target, long_name: str, argument: str, expression: str
) -> None:
    answer = list_services(nameserver, **{argument: expression})
    if expression in EVIL:
        assert answer["code"] == 0
    else:
        assert answer["code"] == 4
        assert argument in answer["error"]


@pytest.mark.parametrize("argument", ["interface", "service"])
@pytest.mark.parametrize("value", [1, True, OBJECT, ARRAY], ids=repr)
def test_expressions_that_are_no_text(nameserver: Target, argument: str, value: Any) -> None:
    answer = list_services(nameserver, **{argument: value})
    assert answer["code"] == 4
    assert argument in answer["error"]


def test_expressions_match_from_the_beginning(nameserver: Target, long_name: str) -> None:
    found = list_services(nameserver, service="a+!")["result"]
    assert [item["service"] for item in found] == [long_name]
    assert list_services(nameserver, service="!")["result"] == []
    both = list_services(nameserver, service="a+!", interface="com.foo")["result"]
    assert both == []


@pytest.mark.parametrize(
    "address",
    [
        *("", " ", "nonsense", "tcp://", "tcp://host", "tcp://host:", "tcp://:1", "host:1"),
        *("tcp://*:2013", "tcp://host:*", "tcp://host:0", "tcp://host:65536", "tcp://host:٣"),
        *("tcp://host:1/path", "tcp://ho st:1", "tcp://host:1\n", "tcp://host:1\x00"),
        *("http://host:1", "file:///etc/passwd", "ipc://", "tcp://\ud800:1", "tcp://h" * 10_000),
        *(None, 1, True, OBJECT, ARRAY),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_addresses_that_are_none(nameserver: Target, address: Any) -> None:
    answer = register(nameserver, address=address)
    assert answer["code"] == 4
    assert "address" in answer["error"]
    assert len(answer["error"]) < 1000
    assert list_services(nameserver, service="/bad/input")["result"] == []


@pytest.mark.parametrize(
    "service",
    [
        *("", " ", "/", "//", "/a//b", "/a/", "/a b", "/a\n", "\x00", "/\ud800", "/a" * 10_000),
        *(None, 1, True, OBJECT, ARRAY),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_names_of_services_that_are_none(nameserver: Target, service: Any) -> None:
    answer = register(nameserver, service=service)
    assert answer["code"] == 4
    assert "service" in answer["error"]
    assert len(answer["error"]) < 1000
    assert list_services(nameserver, interface="bad.input")["result"] == []


@pytest.mark.parametrize(
    "interfaces",
    [
        *(None, 1, True, OBJECT, "bad.input", [None], [1], [OBJECT], [["bad.input"]]),
        *([""], [" "], ["."], ["a..b"], ["a."], ["a b"], ["a\n"], ["\ud800"], ["a." * 10_000]),
        ["bad.input", ""],
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_names_of_interfaces_that_are_none(nameserver: Target, interfaces: Any) -> None:
    answer = register(nameserver, interfaces=interfaces)
    assert answer["code"] == 4
    assert "interfaces" in answer["error"]
    assert len(answer["error"]) < 1000
    assert list_services(nameserver, service="/bad/input")["result"] == []


@pytest.mark.parametrize("metadata", [1, True, "text", ARRAY], ids=repr)
def test_metadata_that_is_none(nameserver: Target, metadata: Any) -> None:
    answer = register(nameserver, metadata=metadata)
    assert answer["code"] == 4
    assert "metadata" in answer["error"]


@pytest.mark.parametrize("method", ["locate", "find", "unregister", "register"])
@pytest.mark.parametrize("value", [None, 1, True, OBJECT, ARRAY], ids=repr)
def test_arguments_of_wrong_types(nameserver: Target, method: str, value: Any) -> None:
    names = ("interface", "service", "address", "interfaces")
    args = dict.fromkeys(names, value)
    answer = nameserver.ask(b"CALL", nameserver.body(method=method, args=args))
    assert answer["code"] == 4
    assert any(name in answer["error"] for name in names)


@pytest.mark.parametrize("name", ["\x00", "", "x" * MEGABYTE], ids=lambda name: ascii(name)[:9])
def test_names_that_nothing_has(nameserver: Target, name: str) -> None:
    def ask(method: str, **args: Any) -> dict[str, Any]:
        return nameserver.ask(b"CALL", nameserver.body(method=method, args=args))

    assert ask("locate", interface=name)["code"] == 3
    assert ask("locate", interface="com.foo.example", service=name)["code"] == 3
    assert ask("find", interface=name)["result"] == []
    assert ask("find", interface="com.foo.example", service=name)["result"] == []
    assert ask("unregister", service=name, address=name)["code"] == 0


@pytest.mark.parametrize("method", ["locate", "find"])
def test_names_that_nothing_can_have(nameserver: Target, method: str) -> None:
    answer = nameserver.ask(b"CALL", nameserver.body(method=method, args={"interface": "\ud800"}))
    assert answer["code"] == (4 if nameserver.in_file else {"locate": 3, "find": 0}[method])


@pytest.mark.parametrize(
    "value",
    ["\ud800", "\x00", float("nan"), 10**400, json.loads("[" * 500 + "]" * 500)],
    ids=lambda value: ascii(value)[:9],
)
def test_metadata_that_is_hard_to_store(nameserver: Target, value: Any) -> None:
    """It is kept or refused; the nameserver does not fail, and others get their answers."""
    answer = register(nameserver, metadata={"key": value})
    assert answer["code"] == (4 if nameserver.in_file and value == "\ud800" else 0)
    found = list_services(nameserver, service="/bad/input")["result"]
    assert len(found) == (answer["code"] == 0)
    body = nameserver.body(
        method="unregister", args={"service": "/bad/input", "address": "tcp://127.0.0.1:9"}
    )
    assert nameserver.ask(b"CALL", body)["code"] == 0


# Sizes.


@pytest.mark.parametrize("kind", ["service", "nameserver"])
def test_messages_over_the_limit_are_cut_off(processes: helpers.Processes, kind: str) -> None:
    """0MQ cuts the connection at the frame's header: nothing of the frame is kept in memory."""
    limit, large = 10 * MEGABYTE, bytes(200 * MEGABYTE)
    settings = {"PYCOM_MAX_MESSAGE_SIZE": str(limit)}
    if kind == "service":
        process = processes.service("pycom.apps.demo", **settings)
        interface, method = "org.pycom.demo", "echo"
    else:
        process = processes.nameserver(**settings)
        interface, method = NAMESERVER, "stat"
    body = json.dumps({"interface": interface, "method": method}).encode()
    with helpers.Dealer(process.address) as other:
        assert helpers.answer_in(other.ask(b"CALL", body))["code"] == 0
        assert helpers.answer_in(other.ask(b"CALL", body, bytes(limit)))["code"] == 0
        before = process.memory()
        for _ in range(3):
            with helpers.Dealer(process.address) as dealer:
                monitor = dealer.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
                monitor.setsockopt(zmq.RCVTIMEO, round(helpers.PATIENCE * 1000))
                dealer.send(b"", b"CALL", body, large)
                recv_monitor_message(monitor)  # raises unless it is cut off
                dealer.socket.disable_monitor()
            assert helpers.answer_in(other.ask(b"CALL", body))["code"] == 0
        assert process.memory() < before + len(large) / 4
