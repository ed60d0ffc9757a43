"""Each hook does what its page says, and has a test of its name."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from in_process import Distributions, MakeRuntime, answer, call, running

import pycom_core
from pycom_core import (
    AccessDenied,
    AsyncContext,
    BadRequest,
    Balancer,
    BaseCommand,
    Client,
    ConfigurationError,
    Context,
    Identity,
    LocalTransport,
    Method,
    NameserverBackend,
    Peer,
    PluginError,
    RemoteError,
    Request,
    Response,
    Runtime,
    Server,
    ServiceRecord,
    ServiceServer,
    SessionStore,
    Transport,
    cli,
    hookimpl,
    hookspecs,
    interface,
    method,
)
from pycom_core.client._async_component import AsyncClient
from pycom_core.client._choice import choose
from pycom_core.plugins._implementations import hook_names
from pycom_core.process._launcher import ServiceProcess

ANY_PORT = "tcp://127.0.0.1:*"


@interface("com.foo.greeter")
class Greeter:
    @method
    def greet(self, request: Request, name: str = "you") -> str:
        return f"Hello {name}"

    @method
    async def wait(self, request: Request) -> str:
        await asyncio.sleep(0)
        return "waited"

    @method
    def who(self, request: Request) -> str | None:
        return request.identity and request.identity.name


def plugin(**hooks: Any) -> object:
    """A plugin that has these functions as its hooks."""
    return SimpleNamespace(**{name: hookimpl(function) for name, function in hooks.items()})


def test_every_hook_has_a_test_of_its_name() -> None:
    tests = Path(__file__).parents[1]
    written = {
        node.name
        for file in tests.rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert [name for name in hook_names() if f"test_hook_{name}" not in written] == []


def test_every_hook_says_what_it_is_for() -> None:
    for name in hook_names():
        hook = getattr(hookspecs, name)
        assert hook.__doc__, name
        assert "return" in hook.__annotations__, name
        assert hook.pycom_spec is not None


# Contributions.


def test_hook_pycom_commands(make_runtime: MakeRuntime) -> None:
    class Ping(BaseCommand):
        def request_from_dict(self, data: dict[str, Any]) -> Any:
            return data

        def real_process_request(self, request: Any, *other_parts: Any) -> Response:
            return Response(None, attachment=b"pong")

    asked: list[Server | None] = []

    def pycom_commands(server: Server | None) -> dict[bytes, BaseCommand]:
        asked.append(server)
        return {b"PING": Ping(server)}

    nothing = plugin(pycom_commands=lambda: None)
    runtime = make_runtime({"mine": plugin(pycom_commands=pycom_commands), "nothing": nothing})
    server = ServiceServer(["local://a"], runtime=runtime)
    assert asked == [server]
    assert server.commands.keys() == {b"CALL", b"PING"}
    reply = asyncio.run(server.answer([b"client", b"", b"PING", b"{}"]))
    assert reply == [b"client", b"", b"OK", b'{"code":0}', b"pong"]


def test_commands_that_need_a_server_are_left_out_for_clients(
    make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "pycom")

    def pycom_commands(server: Any) -> dict[bytes, BaseCommand]:
        return {b"BUSY": BaseCommand(server.runtime and server)}

    runtime = make_runtime({"older": plugin(pycom_commands=pycom_commands)})
    assert b"BUSY" in Server(["local://a"], runtime).commands
    assert runtime.commands.keys() == {b"CALL"}
    assert "'older'" in caplog.text


class Factory:
    """Makes an object, and keeps the URLs that it was asked with."""

    def __init__(self, made: object) -> None:
        self.made, self.urls = made, []

    def __call__(self, url: str) -> object:
        self.urls.append(url)
        return self.made


class Store(SessionStore):
    async def load(self, session_id: str) -> None: ...
    async def save(self, session_id: str, data: Any, ttl: float) -> None: ...
    async def drop(self, session_id: str) -> None: ...


class Backend(NameserverBackend):
    async def register(self, record: ServiceRecord, ttl: float) -> None: ...
    async def unregister(self, service: str, address: str) -> None: ...
    async def find(self, interface: str, service: str | None = None) -> Any: ...
    async def list(self) -> Any: ...


class First(Balancer):
    def choose(self, records: Any, key: str | None = None) -> Any:
        return records[0]


def test_hook_pycom_nameserver_backends(make_runtime: MakeRuntime) -> None:
    factory = Factory(Backend())
    mine = plugin(pycom_nameserver_backends=lambda: {"mine": factory})
    runtime = make_runtime({"mine": mine}, nameserver_backend="mine://somewhere?a=b")
    assert runtime.nameserver_backend() is factory.made
    assert factory.urls == ["mine://somewhere?a=b"]


def test_hook_pycom_session_stores(make_runtime: MakeRuntime) -> None:
    factory = Factory(Store())
    mine = plugin(pycom_session_stores=lambda: {"mine": factory})
    runtime = make_runtime({"mine": mine}, session_store="mine:")
    assert runtime.session_store() is factory.made
    assert factory.urls == ["mine:"]


def test_hook_pycom_balancers(make_runtime: MakeRuntime) -> None:
    factory = Factory(First())
    mine = plugin(pycom_balancers=lambda: {"mine": factory})
    runtime = make_runtime({"mine": mine}, balancer="mine")
    assert runtime.balancer() is factory.made
    assert runtime.balancer() is factory.made
    assert factory.urls == ["mine"]


def test_hook_pycom_cli(distributions: Distributions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.main, "commands", dict(cli.main.commands))
    distributions.plugin(
        "mine",
        """
        @hookimpl
        def pycom_cli(group):
            @group.command()
            def hello():
                "Greet."
                print("Hello from a plugin")
        """,
    )
    ran = CliRunner().invoke(cli.main, ["hello"])
    assert (ran.exit_code, ran.output) == (0, "Hello from a plugin\n")
    assert "Greet." in CliRunner().invoke(cli.main, ["--help"]).output


# A call.


def test_hook_pycom_authenticate(make_runtime: MakeRuntime) -> None:
    async def later(request: Request) -> Identity | None:
        await asyncio.sleep(0)
        return Identity("later") if request.args == "later" else None

    def now(iface: Any, method: Method, request: Request) -> Identity | None:
        assert (iface.name, method.name) == ("com.foo.greeter", "who")
        if request.args == "bad":
            raise AccessDenied("Bad token")
        return Identity("now") if request.args == "now" else None

    runtime = make_runtime(
        {"b": plugin(pycom_authenticate=now), "a": plugin(pycom_authenticate=later)}
    )
    server = ServiceServer(["local://a"], [Greeter], runtime)
    assert call(server, "com.foo.greeter", "who", "now")["result"] == "now"
    assert call(server, "com.foo.greeter", "who", "later")["result"] == "later"
    assert call(server, "com.foo.greeter", "who", "nobody")["result"] is None
    assert call(server, "com.foo.greeter", "who", "bad") == {"code": 5, "error": "Bad token"}


def test_hook_pycom_authorize(make_runtime: MakeRuntime) -> None:
    def pycom_authorize(identity: Any, iface: Any, method: Method, request: Request) -> None:
        assert identity == Identity("anna", ("reader",))
        if method.name != "greet":
            raise AccessDenied(f"{identity.name} may not {iface.name}.{method.name}")

    anna = plugin(
        pycom_authenticate=lambda: Identity("anna", ["reader"]), pycom_authorize=pycom_authorize
    )
    server = ServiceServer(["local://a"], [Greeter], make_runtime({"mine": anna}))
    assert call(server, "com.foo.greeter", "greet")["result"] == "Hello you"
    assert call(server, "com.foo.greeter", "who") == {
        "code": 5,
        "error": "anna may not com.foo.greeter.who",
    }


def test_hook_pycom_prehook(make_runtime: MakeRuntime) -> None:
    def pycom_prehook(iface: Any, method: Method, data: Request) -> None:
        assert (iface.name, method.name) == ("com.foo.greeter", "greet")
        data.args["name"] = data.args["name"].upper()

    mine = plugin(pycom_prehook=pycom_prehook)
    server = ServiceServer(["local://a"], [Greeter], make_runtime({"mine": mine}))
    assert call(server, "com.foo.greeter", "greet", {"name": "anna"})["result"] == "Hello ANNA"


@pytest.mark.parametrize(("name", "result"), [("greet", "Hello you"), ("wait", "waited")])
def test_hook_pycom_invoke(name: str, result: str, make_runtime: MakeRuntime) -> None:
    seen: list[Any] = []

    @hookimpl(wrapper=True)
    def pycom_invoke(iface: Any, method: Method, request: Request) -> Generator[None, Any, Any]:
        seen.append((iface.name, method.name, request.method))
        result = yield
        seen.append(result)
        return [result]

    mine = SimpleNamespace(pycom_invoke=pycom_invoke)
    server = ServiceServer(["local://a"], [Greeter], make_runtime({"mine": mine}))
    assert call(server, "com.foo.greeter", name)["result"] == [result]
    assert seen == [("com.foo.greeter", name, name), result]


def test_hook_pycom_posthook(make_runtime: MakeRuntime) -> None:
    def pycom_posthook(iface: Any, method: Method, data: Response) -> None:
        assert (iface.name, method.name) == ("com.foo.greeter", "greet")
        data.result += "!"
        data.extensions["com.foo.seen"] = True

    mine = plugin(pycom_posthook=pycom_posthook)
    server = ServiceServer(["local://a"], [Greeter], make_runtime({"mine": mine}))
    assert call(server, "com.foo.greeter", "greet") == {
        "code": 0,
        "result": "Hello you!",
        "extensions": {"com.foo.seen": True},
    }


# The calling side.


def test_hook_pycom_client_prehook(make_runtime: MakeRuntime) -> None:
    def pycom_client_prehook(component: Client, data: Request) -> None:
        assert component.name == data.interface == "com.foo.greeter"
        data.args["name"] += " of the plugin"

    def prehook(component: Client, data: Request) -> None:
        data.args["name"] = "friend"

    runtime = make_runtime({"mine": plugin(pycom_client_prehook=pycom_client_prehook)})
    ServiceServer(["local://a"], [Greeter], runtime)
    context = Context(runtime=runtime)
    context.prehooks.append(prehook)
    component = context.connect("local://a", "com.foo.greeter")
    assert component.invoke("greet", {}) == "Hello friend of the plugin"
    context.close()


def test_hook_pycom_client_posthook(make_runtime: MakeRuntime) -> None:
    def pycom_client_posthook(component: Client, data: Response) -> None:
        assert component.name == "com.foo.greeter"
        data.result += ", seen by the plugin"

    def posthook(component: Client, data: Response) -> None:
        data.result += " and then by the context"

    runtime = make_runtime({"mine": plugin(pycom_client_posthook=pycom_client_posthook)})
    ServiceServer(["local://a"], [Greeter], runtime)
    context = Context(runtime=runtime)
    context.posthooks.append(posthook)
    component = context.connect("local://a", "com.foo.greeter")
    assert component.invoke("greet") == "Hello you, seen by the plugin and then by the context"
    context.close()


# Life.


def test_hook_pycom_configure(make_runtime: MakeRuntime) -> None:
    seen: list[Any] = []

    def pycom_configure(runtime: pycom_core.Runtime) -> None:
        seen.append((runtime, runtime.settings.service, runtime.plugins.active >= {"mine", "call"}))

    runtime = make_runtime({"mine": plugin(pycom_configure=pycom_configure)}, service="/com/foo")
    assert seen == [(runtime, "/com/foo", True)]


def test_hook_pycom_provide(make_runtime: MakeRuntime) -> None:
    def pycom_provide(server: ServiceServer, iface: Any) -> None:
        if iface.name == "com.foo.unwanted":
            raise ValueError("not here")
        body = method("server_of", body=lambda instance, request: repr(server.addresses))
        iface.register_method(body)

    @interface("com.foo.unwanted")
    class Unwanted:
        pass

    runtime = make_runtime({"mine": plugin(pycom_provide=pycom_provide)})
    server = ServiceServer(["local://a"], [Greeter()], runtime)
    assert call(server, "com.foo.greeter", "server_of")["result"] == "['local://a']"
    assert "server_of" not in Greeter.__interface__.methods
    with pytest.raises(PluginError, match=r"'mine'.*failed in pycom_provide.*not here"):
        server.provide(Unwanted)
    assert call(server, "com.foo.unwanted", "anything")["code"] == 4


def test_hook_pycom_startup(make_runtime: MakeRuntime) -> None:
    seen: list[Any] = []

    def pycom_startup(server: Server) -> None:
        seen.append((server, [address.endswith("*") for address in server.addresses]))

    runtime = make_runtime({"mine": plugin(pycom_startup=pycom_startup)}, transport=None)
    server = ServiceServer([ANY_PORT], [Greeter], runtime)
    assert seen == []
    with running(server):
        assert seen == [(server, [False])]


def test_hook_pycom_startup_that_raises_stops_the_start(make_runtime: MakeRuntime) -> None:
    def pycom_startup() -> None:
        raise ValueError("not today")

    runtime = make_runtime({"mine": plugin(pycom_startup=pycom_startup)})
    server = ServiceServer(["local://a"], [Greeter], runtime)
    with pytest.raises(PluginError, match=r"'mine'.*failed in pycom_startup.*not today"):
        server.setup()
    runtime.ioloop().close()


def test_hook_pycom_shutdown(make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Any] = []

    def raising(server: Server) -> None:
        raise ValueError("no end")

    runtime = make_runtime(
        {
            "mine": plugin(pycom_shutdown=lambda server: seen.append(server)),
            "bad": plugin(pycom_shutdown=raising),
        }
    )
    server = ServiceServer(["local://a"], [Greeter], runtime)
    assert asyncio.run(answer(server, "com.foo.greeter", "greet"))["code"] == 0
    assert seen == []
    server.close()
    server.close()
    assert seen == [server]
    assert caplog.text.count("'bad' (registered by hand) failed in pycom_shutdown") == 1


def test_hook_pycom_socket(make_runtime: MakeRuntime) -> None:
    import zmq

    seen: list[Any] = []

    def pycom_socket(socket: Any, side: str, address: str) -> None:
        if address == "tcp://127.0.0.1:1":
            raise ValueError("not there")
        seen.append((socket.getsockopt(zmq.TYPE), side, address))
        socket.setsockopt(zmq.IDENTITY, side.encode())

    class Seen(Server):
        def handle_call(self, request: Request) -> Any:
            return request.response("seen")

    mine = {"mine": plugin(pycom_socket=pycom_socket)}
    runtime, other = (make_runtime(mine, transport=None) for _ in range(2))
    with running(Seen([ANY_PORT], runtime)) as server:
        context = Context(runtime=other)
        assert context.connect(server.addresses[0], "com.foo").invoke("bar") == "seen"
        assert seen == [
            (zmq.ROUTER, "server", ANY_PORT),
            (zmq.DEALER, "client", server.addresses[0]),
        ]
        assert server.listeners[0].socket.getsockopt(zmq.IDENTITY) == b"server"
        with pytest.raises(PluginError, match=r"'mine'.*failed in pycom_socket.*not there"):
            context.connect("tcp://127.0.0.1:1", "com.foo").invoke("bar")
        context.close()


def test_hook_pycom_transports(make_runtime: MakeRuntime) -> None:
    network = LocalTransport()
    network.schemes = ("near",)
    given: list[Runtime] = []

    def make(runtime: Runtime) -> Transport:
        given.append(runtime)
        return network

    mine = plugin(pycom_transports=lambda: {"mine": make})
    runtime = make_runtime({"mine": mine}, transport=("mine", "zmq"))
    ServiceServer(["near://a", ANY_PORT], [Greeter], runtime)
    assert given == [runtime], "it is asked for once, before those that come after it"
    other = make_runtime(transport=network)
    context = Context(runtime=other)
    assert context.connect("near://a", "com.foo.greeter").invoke("greet") == "Hello you"
    with pytest.raises(ConfigurationError, match="Invalid address 'far://a': addresses begin with"):
        Context(runtime=runtime).connect("far://a", "com.foo").invoke("bar")


def test_hook_pycom_end(make_runtime: MakeRuntime) -> None:
    ended: list[Any] = []

    def pycom_end(request: Request, response: Response) -> str:
        ended.append((request.interface, request.method, response.code))
        return "is not looked at"

    runtime = make_runtime({"mine": plugin(pycom_end=pycom_end)})
    server = ServiceServer(["local://a"], [Greeter], runtime)
    call(server, "com.foo.greeter", "greet")
    call(server, "com.foo.greeter", "wait")
    call(server, "com.foo.greeter", "nothing")
    call(server, "com.foo.nobody", "greet")
    asyncio.run(server.answer([b"client", b"", b"CALL", b"no JSON"]))
    asyncio.run(server.answer([b"client", b"", b"NONSENSE", b"{}"]))
    asyncio.run(server.answer([b"client"]))
    assert ended == [
        ("com.foo.greeter", "greet", 0),
        ("com.foo.greeter", "wait", 0),
        ("com.foo.greeter", "nothing", 2),
        ("com.foo.nobody", "greet", 4),
        ("", "", 4),
        ("", "", 4),
        ("", "", 4),
    ]


def test_end_of_a_message_that_was_not_read_says_where_it_came_from(
    make_runtime: MakeRuntime,
) -> None:
    seen: list[Any] = []
    mine = plugin(pycom_end=lambda request: seen.append(request.delivery.frames))
    server = Server(["local://a"], make_runtime({"mine": mine}))
    server.max_in_flight = 0
    for body in (b"{}", b"no JSON"):
        asyncio.run(server.answer([b"client", b"", b"CALL", body]))
    assert [frames[-1] for frames in seen] == [b"{}", b"no JSON"]


@pytest.mark.parametrize("kind", [Context, AsyncContext])
def test_hook_pycom_client_invoke(kind: Any, make_runtime: MakeRuntime) -> None:
    seen: list[Any] = []

    def pycom_client_invoke(component: Any, request: Request) -> Any:
        seen.append((component.name, component.address, component.context, request.method))
        try:
            response = yield
        except RemoteError as error:
            seen.append(error.code)
            response = Response(request, result="mended")
        return response

    wrapper = SimpleNamespace(
        pycom_client_invoke=hookimpl(wrapper=True)(pycom_client_invoke),
        pycom_client_prehook=hookimpl(lambda data: seen.append("prehook")),
    )
    ServiceServer(["local://a"], [Greeter], make_runtime())
    context = kind(runtime=make_runtime({"mine": wrapper}))

    async def ask() -> list[Any]:
        component = AsyncClient("local://a", "com.foo.greeter", context)
        return [await component.invoke(name) for name in ("greet", "nothing")]

    if kind is AsyncContext:
        results = asyncio.run(ask())
    else:
        component = context.connect("local://a", "com.foo.greeter")
        results = [component.invoke(name) for name in ("greet", "nothing")]
    assert results == ["Hello you", "mended"]
    where = ("com.foo.greeter", "local://a", context)
    assert seen == [(*where, "greet"), "prehook", (*where, "nothing"), "prehook", 2]
    context.close()


def test_hook_pycom_record(make_runtime: MakeRuntime) -> None:
    def pycom_record(server: Server, record: ServiceRecord) -> None:
        record.metadata["zone"] = f"{record.service} at {server.addresses[0]}"

    runtime = make_runtime(
        {"mine": plugin(pycom_record=pycom_record)}, address="local://a", service="/one"
    )
    process = ServiceProcess(runtime, [Greeter])
    record = process.registrar._replicas[0]._record
    assert record.metadata["zone"] == "/one at local://a"
    process.loop.close()


def test_hook_pycom_address(make_runtime: MakeRuntime) -> None:
    def pycom_address(record: ServiceRecord) -> str | None:
        return record.metadata.get("near")

    runtime = make_runtime({"mine": plugin(pycom_address=pycom_address)})
    context = Context("local://ns", runtime=runtime)
    near = ServiceRecord("/a", "local://far", ["com.foo"], {"near": "local://near"})
    far = ServiceRecord("/b", "local://far", ["com.foo"])
    found = [choose(context, [record], "com.foo").address for record in (near, far)]
    assert found == ["local://near", "local://far"]


def test_hook_pycom_close(make_runtime: MakeRuntime) -> None:
    closed: list[Runtime] = []
    runtime = make_runtime({"mine": plugin(pycom_close=lambda runtime: closed.append(runtime))})
    assert closed == []
    runtime.close()
    runtime.close()
    assert closed == [runtime]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("zone", object(), "metadata.zone: object"),
        (5, 3, "metadata has the key 5, and keys of JSON are text"),
        (None, 3, "metadata has the key None, "),
        ("zone", [{"a": {5: 3}}], "metadata has the key 5, "),
    ],
)
def test_record_that_cannot_be_sent_names_the_plugin(
    key: Any, value: Any, says: str, make_runtime: MakeRuntime
) -> None:
    def pycom_record(record: ServiceRecord) -> None:
        record.metadata[key] = value

    runtime = make_runtime({"mine": plugin(pycom_record=pycom_record)}, address="local://a")
    with pytest.raises(
        PluginError, match=rf"'mine'.*pycom_record: the record cannot be sent: {says}"
    ):
        ServiceProcess(runtime, [Greeter])
    assert runtime.servers == []


def test_what_a_hook_at_the_end_leaves_is_for_nobody_else(make_runtime: MakeRuntime) -> None:
    seen: list[tuple[int | None, Any]] = []

    def pycom_end(request: Request, response: Response) -> None:
        seen.append((response.code, dict(request.extensions)))
        response.code = 77
        request.extensions["left"] = True

    class Whole(BaseCommand):
        def process_request(self, json_body: Any, *other_parts: Any) -> Any:
            return None if bytes(json_body) == b"none" else [b"{}"]

    runtime = make_runtime({"mine": plugin(pycom_end=pycom_end)})
    server = ServiceServer(["local://a"], [Greeter], runtime)
    server.commands[b"WHOLE"] = Whole(server)

    def ask(body: bytes) -> Any:
        return asyncio.run(server.answer([b"client", b"", b"WHOLE", body]))[2:]

    assert [ask(b"{}"), ask(b"{}")] == [[b"OK", b"{}"]] * 2
    assert ask(b"none")[0] == b"FAIL"
    assert seen == [(0, {}), (0, {}), (1, {})]


@pytest.mark.parametrize("error", ["value", BadRequest("mine"), ZeroDivisionError()])
def test_peers_are_denied_whatever_goes_wrong(error: Any, make_runtime: MakeRuntime) -> None:
    def pycom_admit(peer: Peer) -> Any:
        if isinstance(error, Exception):
            raise error
        return error

    runtime = make_runtime({"mine": plugin(pycom_admit=pycom_admit)})
    with pytest.raises(AccessDenied, match="Access denied"):
        runtime.admit(Peer("tcp://10.0.0.1:7"))


def test_hook_pycom_admit(make_runtime: MakeRuntime) -> None:
    def pycom_admit(peer: Peer) -> None:
        if peer.key != "known":
            raise AccessDenied(f"{peer.address} is not known")

    runtime = make_runtime({"mine": plugin(pycom_admit=pycom_admit)})
    runtime.admit(Peer("tcp://10.0.0.1:7", "known"))
    with pytest.raises(AccessDenied, match="tcp://10.0.0.2:7 is not known"):
        runtime.admit(Peer("tcp://10.0.0.2:7"))
