"""Calling an interface at an address."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import helpers
import pytest
import zmq
from doubles import CODES, Scripted, ok
from helpers import until
from in_process import MakeRuntime, running, waiting
from storm import Storm

from pycom_core import (
    BadRequest,
    CallTimeout,
    Client,
    Context,
    DeadlineExceeded,
    LocalTransport,
    MethodNotFound,
    RemoteError,
    Request,
    ServiceNotAvailable,
    ServiceRecord,
    ServiceServer,
    interface,
    method,
)
from pycom_core.client._choice import Use, choose
from pycom_core.constants import DEADLINE_EXTENSION, NS_INTERFACE
from pycom_core.messages import Delivery
from pycom_core.transport import Channel
from pycom_core.transport._pool import Pool
from pycom_plugins.call.command import CallCommand
from pycom_plugins.transport_zmq.adopted import AdoptedDealer

ANY_PORT = "tcp://127.0.0.1:*"
IFACE = "com.foo.far"
Reply = Any


def client(
    *channels: Channel, context: Context | None = None, use: Use | None = None, iface: str = IFACE
) -> Client:
    """A client that has these channels, one after the other, the last for good."""
    left = list(channels)
    found = Client("anywhere", iface, context, use)
    found._lender = Pool(lambda address: left.pop(0) if len(left) > 1 else left[0])
    return found


# What is sent.


def test_request() -> None:
    channel = Scripted(ok(result=1))
    assert client(channel).invoke("bar", {"a": 1}, attachment=b"\x00") == 1
    command, _body, attachment, timeout = channel.sent[0]
    assert (command, attachment, timeout) == (b"CALL", b"\x00", 5000)
    assert channel.body() == {
        "version": "1.0",
        "interface": IFACE,
        "method": "bar",
        "args": {"a": 1},
        "extensions": {DEADLINE_EXTENSION: 5000},
    }


@pytest.mark.parametrize("args", [None, {}, [], [1, "a"], "text", 0, 1.5, False])
def test_any_json_value_as_arguments(args: Any) -> None:
    channel = Scripted(ok())
    client(channel).invoke("bar", args)
    assert channel.body()["args"] == args


def test_timeout_travels_as_the_deadline() -> None:
    channel = Scripted(ok(), ok())
    component = client(channel)
    component.invoke("bar", timeout=123.4)
    assert channel.sent[0][-1] == 123.4
    assert channel.body()["extensions"] == {DEADLINE_EXTENSION: 123}
    own = Request(IFACE, "bar", extensions={DEADLINE_EXTENSION: 7, "a": 1})
    component.invoke_with_request(own, timeout=100)
    assert channel.body()["extensions"] == {DEADLINE_EXTENSION: 7, "a": 1}
    assert own.extensions == {DEADLINE_EXTENSION: 7, "a": 1}


@pytest.mark.parametrize("timeout", [math.inf, 1e300])
def test_no_deadline_without_a_timeout(timeout: float) -> None:
    channel = Scripted(ok(), ok())
    component = client(channel)
    component.invoke("bar", timeout=timeout)
    assert channel.sent[0][-1] == timeout
    assert "extensions" not in channel.body()
    own = Request(IFACE, "bar", extensions={"a": 1})
    component.invoke_with_request(own, timeout=timeout)
    assert channel.body()["extensions"] == {"a": 1}


def test_timeout_of_the_component() -> None:
    channel = Scripted(ok(), ok(), ok(), ok())
    component = client(channel)
    hasty = component.with_timeout(70)
    hasty.invoke("bar")
    hasty.invoke_with_request(Request(IFACE, "bar"))
    hasty.invoke("bar", timeout=30)
    component.invoke("bar")
    assert [each[-1] for each in channel.sent] == [70, 70, 30, 5000]


def test_timeout_that_is_nan() -> None:
    channel = Scripted()
    with pytest.raises(ValueError, match="number of ms"):
        client(channel).invoke("bar", timeout=math.nan)
    assert channel.sent == []


def test_timeout_and_deadline_of_a_context(make_runtime: MakeRuntime) -> None:
    context = Context(runtime=make_runtime(), timeout=70)
    channel = Scripted(ok(), ok(), ok())
    component = client(channel, context=context)
    component.invoke("bar")
    component.invoke("bar", timeout=30)
    context.deadline = time.monotonic() + 0.05
    component.invoke("bar", timeout=5000)
    assert [each[-1] for each in channel.sent[:2]] == [70, 30]
    assert 0 < channel.sent[2][-1] <= 50
    context.deadline = time.monotonic()
    with pytest.raises(DeadlineExceeded, match="call that this one is made for"):
        component.invoke("bar")
    assert len(channel.sent) == 3, "nothing is sent any more"


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (CallTimeout("No answer"), "No answer"),
        (ServiceNotAvailable("No answer"), "No answer"),
        ([b"FAIL", b"{}"], "The server at anywhere failed to answer"),
    ],
    ids=["timeout", "closed", "broken"],
)
def test_call_without_an_answer_is_named(failure: Any, said: str) -> None:
    with pytest.raises(ServiceNotAvailable) as caught:
        client(Scripted(failure)).invoke("bar")
    assert str(caught.value) == f"{IFACE}.bar: {said}"


def test_call_without_an_answer_names_the_service_that_was_located(
    make_runtime: MakeRuntime,
) -> None:
    context = Context(runtime=make_runtime())
    use = choose(context, [ServiceRecord("/com/foo/one", "anywhere", (IFACE,))], IFACE)
    component = client(Scripted(CallTimeout("No")), context=context, use=use)
    with pytest.raises(CallTimeout, match=f"^{IFACE}.bar of /com/foo/one: No$"):
        component.invoke("bar")


def test_nameserver_without_an_answer_is_named_by_its_address_alone() -> None:
    names = client(Scripted(CallTimeout("No")), iface=NS_INTERFACE)
    with pytest.raises(CallTimeout, match="^No$"):
        names.invoke("stat")


@pytest.mark.parametrize("value", [object(), {1, 2}.__iter__(), lambda: 0])
def test_arguments_that_json_cannot_hold(value: Any) -> None:
    channel = Scripted()
    with pytest.raises(TypeError, match=r"^args\.a\[1\]: \w+ is nothing that JSON knows"):
        client(channel).invoke("bar", {"a": [1, value]})
    assert channel.sent == []


@pytest.mark.parametrize("value", ["text", 1, [b"a"]])
def test_attachment_that_is_none(value: Any) -> None:
    channel = Scripted()
    with pytest.raises(TypeError, match="^An attachment must be bytes"):
        client(channel).invoke("bar", attachment=value)
    assert channel.sent == []


# What comes back.


@pytest.mark.parametrize("result", [None, 0, "", [], {"a": [1]}, "text"])
def test_result(result: Any) -> None:
    assert client(Scripted(ok(result=result))).invoke("bar") == result


def test_reply_of_little() -> None:
    assert client(Scripted([b"OK", b'{"code": 0}'])).invoke("bar") is None


@pytest.mark.parametrize("attachment", [b"", b"\x00\xff"])
def test_attachment(attachment: bytes) -> None:
    result = client(Scripted(ok(attachment, result=1))).invoke("bar")
    assert result == (1, attachment)
    assert type(result[1]) is bytes


@pytest.mark.parametrize("received", [b"ab", memoryview(bytearray(b"ab"))])
def test_attachment_as_a_view_is_read_only(received: Any, make_runtime: MakeRuntime) -> None:
    context = Context(runtime=make_runtime(), views=True)
    _result, view = client(Scripted(ok(received)), context=context).invoke("bar")
    assert isinstance(view, memoryview)
    assert view == b"ab"
    assert view.readonly


def test_response() -> None:
    channel = Scripted(ok(b"x", result=1, extensions={"a": 1}, session_id="id"))
    request = Request(IFACE, "bar")
    response = client(channel).invoke_with_request(request)
    assert response.request is request
    assert (response.result, response.attachment, response.code) == (1, b"x", 0)
    assert (response.extensions, response.session_id) == ({"a": 1}, "id")


@pytest.mark.parametrize(("code", "kind"), CODES.items())
def test_errors(code: int, kind: type[RemoteError]) -> None:
    with pytest.raises(RemoteError) as caught:
        client(Scripted(ok(code=code, error="teapot"))).invoke("bar")
    assert type(caught.value) is kind
    assert (caught.value.code, str(caught.value)) == (code, "teapot")


@pytest.mark.parametrize("error", [None, 1, ["text"]])
def test_error_without_a_text(error: Any) -> None:
    with pytest.raises(RemoteError, match="^Remote error #42$"):
        client(Scripted(ok(code=42, error=error))).invoke("bar")


@pytest.mark.parametrize("code", [None, "0", [], 1.5, True])
def test_reply_without_a_code(code: Any) -> None:
    with pytest.raises(RemoteError, match="The answer has no code"):
        client(Scripted(ok(code=code))).invoke("bar")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b"\xff"])
def test_reply_that_is_no_object(body: bytes) -> None:
    with pytest.raises(BadRequest):
        client(Scripted([b"OK", body])).invoke("bar")


@pytest.mark.parametrize("frames", [[b"FAIL", b"{}"], [b"ok", b"{}"], [b"OK"], []])
def test_service_that_failed_to_answer(frames: list[bytes]) -> None:
    with pytest.raises(ServiceNotAvailable, match=r"The server at anywhere failed to answer"):
        client(Scripted(frames)).invoke("bar")


def test_session() -> None:
    channel = Scripted(ok(session_id="one"), ok(), ok(session_id="two"), ok())
    component = client(channel)
    for _ in range(4):
        component.invoke("bar")
    ids = [channel.body(number).get("session_id") for number in range(4)]
    assert ids == [None, "one", "one", "two"]


# Channels.


@pytest.mark.parametrize(
    "error", [CallTimeout("late"), ServiceNotAvailable("gone"), KeyboardInterrupt()]
)
def test_channel_of_a_call_that_failed_is_closed(error: BaseException) -> None:
    broken, good = Scripted(error), Scripted(ok(result=1), ok(result=2))
    component = client(broken, good)
    with pytest.raises(type(error)):
        component.invoke("bar")
    assert broken.closed
    assert [component.invoke("bar"), component.invoke("bar")] == [1, 2]
    assert not good.closed


def test_error_that_was_answered_keeps_the_channel() -> None:
    channel = Scripted(ok(code=1, error="no"), ok(result=1))
    component = client(channel)
    with pytest.raises(RemoteError):
        component.invoke("bar")
    assert component.invoke("bar") == 1
    assert not channel.closed


def test_close_leaves_the_channels_of_its_context(make_runtime: MakeRuntime) -> None:
    context = Context(runtime=make_runtime())
    channel = Scripted(ok())
    context.pool = Pool(lambda address: channel)
    with Client("anywhere", IFACE, context) as component:
        component.invoke("bar")
    assert not channel.closed
    context.close()
    assert channel.closed


def test_hooks_of_a_context_may_replace(make_runtime: MakeRuntime) -> None:
    context = Context(runtime=make_runtime())
    context.prehooks.append(lambda component, data: Request(IFACE, "other", args=[component.name]))
    context.posthooks.append(lambda component, data: data.request.response("replaced"))
    channel = Scripted(ok(result=1))
    assert client(channel, context=context).invoke("bar") == "replaced"
    assert (channel.body()["method"], channel.body()["args"]) == ("other", [IFACE])


# Real sockets.


@interface(IFACE)
class Far:
    def __init__(self) -> None:
        self.ran: list[Any] = []
        self.started = threading.Event()
        self.release = threading.Event()
        #: The messages that arrive while a method holds the loop.
        self.waiting: Callable[[], Sequence[Delivery]] = list

    @method
    def echo(self, request: Request, value: Any = None) -> Any:
        return value

    @method
    def note(self, request: Request) -> None:
        self.ran.append("note")

    @method
    def hold(self, request: Request) -> str:
        self.started.set()
        assert self.release.wait(helpers.PATIENCE)
        return "late"


@pytest.fixture
def far(make_runtime: MakeRuntime) -> Iterator[tuple[Far, str]]:
    """A service over TCP, and its address. It does not notice that a client has gone."""
    far = Far()
    runtime = make_runtime(transport=("zmq",))
    with running(ServiceServer([ANY_PORT], [far], runtime)) as server:
        far.waiting = partial(waiting, server)
        yield far, server.addresses[0]
        far.release.set()


@pytest.fixture
def socket(far: tuple[Far, str]) -> Iterator[Callable[[int], zmq.Socket[bytes]]]:
    """Makes sockets that are connected to the service."""
    context = zmq.Context()

    def connected(kind: int) -> zmq.Socket[bytes]:
        made = context.socket(kind)
        made.connect(far[1])
        return made

    yield connected
    context.destroy(linger=0)


@pytest.mark.parametrize("kind", [zmq.REQ, zmq.DEALER])
def test_socket_of_ones_own(
    kind: int, far: tuple[Far, str], socket: Callable[[int], zmq.Socket[bytes]]
) -> None:
    made = socket(kind)
    component = Client(made, IFACE)
    assert component.iface == component.name == IFACE
    assert component.address == far[1]
    for number in range(3):
        assert component.invoke("echo", {"value": number}) == number
    with pytest.raises(MethodNotFound):
        component.invoke("missing")
    component.close(linger=0)
    assert made.closed


def test_command_goes_through_the_socket_of_ones_own(
    socket: Callable[[int], zmq.Socket[bytes]], make_runtime: MakeRuntime
) -> None:
    context = Context(runtime=make_runtime(transport=None))
    component = Client(socket(zmq.DEALER), IFACE)
    request = Request(IFACE, "echo", args={"value": 1})
    # The context has no connection of its own that it could take.
    context.pool.borrow = None  # type: ignore[assignment, method-assign]
    answer = context.send_command(component, b"CALL", CallCommand(), request)
    assert answer.result == 1
    component.close(linger=0)


@pytest.mark.parametrize("kind", [zmq.REQ, zmq.DEALER, None])
def test_timeout_leaves_the_client_usable(
    kind: int | None,
    far: tuple[Far, str],
    socket: Callable[[int], zmq.Socket[bytes]],
    make_runtime: MakeRuntime,
) -> None:
    service, address = far
    context = Context(runtime=make_runtime(transport=None))
    component = Client(address, IFACE, context) if kind is None else Client(socket(kind), IFACE)
    assert component.invoke("echo", {"value": 0}) == 0
    with pytest.raises(CallTimeout, match="within 50 ms"):
        component.invoke("hold", timeout=50)
    assert service.started.is_set()
    with pytest.raises(CallTimeout):
        component.invoke("note", timeout=50)  # the service still holds
    # The stand-in has taken it in, so that the service knows when it arrived, and it is too late.
    until(service.waiting)
    until(lambda: time.monotonic() > service.waiting()[0].arrived + 0.05)
    service.release.set()
    for number in range(1, 4):
        assert component.invoke("echo", {"value": number}) == number
    assert service.ran == [], "what nobody waits for is not run"
    component.close()
    context.close()


def test_socket_of_ones_own_tells_replies_apart() -> None:
    with (
        zmq.Context() as context,
        context.socket(zmq.ROUTER) as service,
        context.socket(zmq.DEALER) as made,
    ):
        made.connect(f"tcp://127.0.0.1:{service.bind_to_random_port('tcp://127.0.0.1')}")
        channel = AdoptedDealer(made, "the socket")
        with pytest.raises(CallTimeout):
            channel.exchange([b"CALL", b"{}"], 1)
        assert service.poll(helpers.PATIENCE * 1000)
        identity, late, *_ = service.recv_multipart()
        # The late reply, one to another call, and a message that is no reply.
        garbage = [[late, b"", b"OK", b"late"], [b"", b"OK", b"{}"], [b"zz"], [b"2", b""]]
        for reply in garbage:
            service.send_multipart([identity, *reply])
        started = time.monotonic()
        with pytest.raises(CallTimeout, match="No answer from the socket within 100 ms"):
            channel.exchange([b"CALL", b"{}"], 100)
        assert time.monotonic() - started >= 0.09, "replies of others do not prolong it"
        following = b"%x" % (int(late, 16) + 2)
        for reply in (*garbage, [following, b"", b"OK", b"right", b"\x00"]):
            service.send_multipart([identity, *reply])
        assert channel.exchange([b"CALL", b"{}"], 30_000) == [b"OK", b"right", b"\x00"]


@pytest.mark.parametrize("kind", [zmq.REQ, zmq.DEALER])
@pytest.mark.parametrize("listens", [True, False])
def test_signals_do_not_prolong_the_timeout_of_a_socket_of_ones_own(
    kind: int, listens: bool
) -> None:
    with (
        zmq.Context() as context,
        context.socket(kind) as made,
        context.socket(zmq.ROUTER) as silent,
    ):
        made.setsockopt(zmq.LINGER, 0)
        made.setsockopt(zmq.IMMEDIATE, not listens)  # it then waits before it sends
        port = silent.bind_to_random_port("tcp://127.0.0.1")
        if not listens:
            silent.unbind(silent.getsockopt_string(zmq.LAST_ENDPOINT))
        made.connect(f"tcp://127.0.0.1:{port}")
        component = Client(made, IFACE)
        with Storm() as storm:
            started = time.monotonic()
            with pytest.raises(CallTimeout, match="within 200 ms"):
                component.invoke("bar", timeout=200)
            assert time.monotonic() - started >= 0.2
            assert not storm.is_over
        assert storm.count > 1


def test_channel_that_does_not_tell_its_address(make_runtime: MakeRuntime) -> None:
    class Adopting(LocalTransport):
        def adopt(self, socket: Any) -> Channel:
            return Scripted(ok(result=socket))

    context = Context(runtime=make_runtime(transport=Adopting()))
    brought: Any = 3
    component = Client(brought, IFACE, context)
    assert (component.address, component.invoke("bar")) == ("the socket", 3)
    context.close()


@pytest.mark.parametrize("kind", [zmq.PUB, zmq.SUB, zmq.PUSH, zmq.ROUTER, zmq.PAIR])
def test_socket_of_a_kind_that_gets_no_replies(kind: int) -> None:
    with (
        zmq.Context() as context,
        context.socket(kind) as made,
        pytest.raises(TypeError, match="a DEALER or REQ socket, not [A-Z]+"),
    ):
        Client(made, IFACE)


def test_one_client_for_many_threads(far: tuple[Far, str], make_runtime: MakeRuntime) -> None:
    context = Context(runtime=make_runtime(transport=None))
    component = context.connect(far[1], IFACE)
    wrong: list[Any] = []

    def calls(first: int) -> None:
        for number in range(first, first + 50):
            result = component.invoke("echo", {"value": number})
            if result != number:
                wrong.append((number, result))

    threads = [threading.Thread(target=calls, args=[1000 * index]) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    context.close()


def test_client_of_the_default_runtime(
    far: tuple[Far, str], make_runtime: MakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = make_runtime(transport=None)
    monkeypatch.setattr("pycom_core.client._caller.default_runtime", lambda: runtime)
    with Client(far[1], IFACE) as component:
        assert component.invoke("echo", {"value": 1}) == 1
        channel = component._lender.borrow(far[1])
        component._lender.give_back(far[1], channel)
    assert not channel.is_alive()
