"""The examples of the page on extending are plugins that do what the page says."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import logging
import os
import time
import types
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
import pytest
import zmq
from click.testing import CliRunner, Result
from documents import ROOT, python_in, sections
from helpers import answer_in
from in_process import MakeRuntime, payload, running

import pycom
from pycom_core import (
    LocalTransport,
    Peer,
    Request,
    Runtime,
    ServiceRecord,
    ServiceServer,
    hookimpl,
)
from pycom_core.client._choice import choose
from pycom_core.messages import Delivery
from pycom_core.process._launcher import ServiceProcess
from pycom_core.testing import BalancerContract, Clock, LocalNetwork, SessionStoreContract

HOOKS = {
    heading.partition("(")[0]: python_in(text)
    for heading, text in sections(ROOT / "docs" / "extending.rst").items()
    if heading.startswith("pycom_")
}
SMALL, REAL = 0, 1


@pycom.interface("com.foo.shop")
class Shop(pycom.Service):
    """The service that the plugins are tried on."""

    @pycom.method
    def buy(self, request: Request, article: str) -> str:
        return article

    @pycom.method("list")
    def everything(self, request: Request) -> list[str]:
        return []

    @pycom.method("delete-all")
    def delete_all(self, request: Request) -> None:
        pass

    @pycom.method
    def caller(self, request: Request) -> str | None:
        return request.identity and request.identity.name

    @pycom.method
    def again(self, request: Request) -> Any:
        return request.context().connect("inproc://shop", "com.foo.shop").buy("tea")

    @pycom.method
    def trace(self, request: Request) -> Any:
        return request.extensions["com.foo.trace"]

    @pycom.method
    def traces(self, request: Request) -> list[Any]:
        """The trace of this call, and that of a call that it makes."""
        inner = request.context().connect("inproc://shop", "com.foo.shop")
        return [request.extensions["com.foo.trace"], inner.trace()]

    @pycom.method
    def unsendable(self, request: Request):  # type: ignore[no-untyped-def]
        return object()

    def check_health(self) -> str:
        return "sick"


def example(hook: str, number: int) -> Any:
    """A module made of one of the examples of a hook."""
    return run(HOOKS[hook][number])


def run(code: str) -> Any:
    """A module made of a piece of code."""
    module = types.ModuleType("example")
    exec(compile(code, "example", "exec"), vars(module))
    return module


def plugin(hook: str, number: int) -> Any:
    """The plugin in an example: the module, or an object of the class that has the hooks."""
    module = example(hook, number)
    if hasattr(module, hook):
        return module
    (owner,) = (value for value in vars(module).values() if hasattr(value, hook))
    return owner()


class World:
    """A shop with the plugins of an example, and somebody who calls it."""

    def __init__(self, runtime: Runtime, example: Any) -> None:
        self.runtime = runtime
        self.plugin = example
        self.server = ServiceServer(["inproc://shop"], [Shop], runtime)
        self.context = pycom.Context(runtime=runtime)
        self.call = self.context.connect("inproc://shop", "com.foo.shop").invoke


@pytest.fixture
def shop(make_runtime: MakeRuntime) -> Callable[..., World]:
    """Makes a shop with an example, on a network of its own; further arguments are tables."""

    def make(hook: str, number: int, **tables: Any) -> World:
        found = plugin(hook, number)
        transport = LocalTransport()
        return World(make_runtime({"example": found}, transport, tables=tables), found)

    return make


def test_two_examples_of_each_hook() -> None:
    assert {hook: len(examples) for hook, examples in HOOKS.items()} == dict.fromkeys(HOOKS, 2)


@pytest.mark.parametrize("number", [SMALL, REAL])
@pytest.mark.parametrize("hook", HOOKS)
def test_example_is_a_plugin(hook: str, number: int, make_runtime: MakeRuntime) -> None:
    runtime = make_runtime({"example": plugin(hook, number)})
    assert hook in runtime.plugins.hooks_of("example")


def test_commands(shop: Callable[..., World]) -> None:
    def ask(number: int, command: bytes, body: bytes) -> Any:
        channel = shop("pycom_commands", number).runtime.connect("inproc://shop")
        status, reply = channel.exchange([command, body], 1000)
        assert status == b"OK"
        return json.loads(bytes(reply))

    assert ask(SMALL, b"PING", b'{"any": 1}') == {"any": 1}
    assert ask(REAL, b"LOAD", b"{}")["load"] == {"in_flight": 1, "most": 10_000}
    assert ask(REAL, b"LOAD", b'{"of": "moon"}')["code"] == 4


def test_nameserver_backends(tmp_path: Path) -> None:
    one = {"service": "/com/foo/one", "address": "tcp://10.0.0.1:2013", "interfaces": ["com.foo"]}
    record, stranger = (
        ServiceRecord(**one),
        ServiceRecord("/other", "tcp://10.0.0.1:1", ["com.foo"]),
    )
    path = tmp_path / "services.json"
    path.write_text(json.dumps([one]))

    async def use() -> None:
        nowhere = example("pycom_nameserver_backends", SMALL).Nowhere()
        await nowhere.register(record, 60)
        assert list(await nowhere.list()) == []
        fixed = example("pycom_nameserver_backends", REAL).Fixed(f"fixed://{path}")
        await fixed.register(record, 60)
        assert list(await fixed.find("com.foo")) == list(await fixed.list()) == [record]
        assert list(await fixed.find("com.foo", "/com/foo/two")) == []
        with pytest.raises(pycom.AccessDenied):
            await fixed.register(stranger, 60)

    asyncio.run(use())


class TestBoundedStore(SessionStoreContract):
    @pytest.fixture
    def store_factory(self, clock: Clock) -> Any:
        bounded = example("pycom_session_stores", REAL).Bounded
        return lambda: bounded("bounded:1000", clock.now)


def test_session_stores() -> None:
    async def use() -> None:
        bounded = example("pycom_session_stores", REAL).Bounded("bounded:2")
        for name in "abc":
            await bounded.save(name, {}, 60)
        assert [await bounded.load(name) for name in "abc"] == [None, {}, {}]
        forever = example("pycom_session_stores", SMALL).Forever("forever:")
        await forever.save("a", {"n": 1}, 0)
        assert await forever.load("a") == {"n": 1}

    asyncio.run(use())


class TestNearBalancer(BalancerContract):
    @pytest.fixture
    def balancer_factory(self) -> Any:
        near = example("pycom_balancers", REAL).Near
        return lambda: near("near:nowhere")


def test_balancers() -> None:
    records = [ServiceRecord(f"/{n}", f"tcp://10.{n}.0.1:2013", ()) for n in (2, 1, 3)]
    assert example("pycom_balancers", SMALL).First().choose(records) == records[1]
    near = example("pycom_balancers", REAL).Near("near:tcp://10.3.")
    assert {near.choose(records).service for _ in range(5)} == {"/3"}


def test_transports(make_runtime: MakeRuntime) -> None:
    def called(client: Runtime, address: str) -> Any:
        async def call() -> Any:
            async with pycom.AsyncContext(runtime=client) as context:
                component = await context.connect(address, "com.foo.shop")
                return await component.invoke("list")

        with contextlib.closing(pycom.Context(runtime=client)) as context:
            component = context.connect(address, "com.foo.shop")
            return [component.invoke("buy", {"article": "tea"}), asyncio.run(call())]

    small = {"near": plugin("pycom_transports", SMALL)}
    server, client = (make_runtime(small, ("near", "zmq")) for _ in range(2))
    with running(ServiceServer(["near://shop"], [Shop], server)):
        assert called(client, "near://shop") == ["tea", []]

    def named(shop: str) -> Runtime:
        real = {"named": plugin("pycom_transports", REAL)}
        return make_runtime(real, ("named", "zmq"), tables={"named": {"shop": shop}})

    with running(ServiceServer(["named://shop"], [Shop], named("tcp://127.0.0.1:*"))) as server:
        client = named(server.addresses[0])
        assert called(client, "named://shop") == ["tea", []]
        with pytest.raises(pycom.ConfigurationError, match="no entry for named://till"):
            called(client, "named://till")


def test_types(make_runtime: MakeRuntime) -> None:
    small, real = example("pycom_types", SMALL), example("pycom_types", REAL)

    @pycom.interface("com.foo.sums")
    class Sums:
        Money = real.Money

        @pycom.method
        def half(self, request: Request, value: Fraction) -> Fraction:
            return value / 2

        @pycom.method
        def double(self, request: Request, money: Money) -> Money:  # type: ignore[valid-type]
            return real.Money(money.amount * 2, money.currency)

    runtime = make_runtime({"small": small, "real": real}, development=True)
    with running(ServiceServer(["local://sums"], [Sums], runtime)):
        context = pycom.Context(runtime=runtime)
        with context.connect("local://sums", "com.foo.sums") as sums:
            assert sums.invoke("half", {"value": Fraction(1, 3)}) == "1/6"
            assert sums.invoke("double", {"money": "12.50 EUR"}) == "25.00 EUR"
            for wrong in ("1/0", "x", []):
                with pytest.raises(pycom.BadRequest, match=r"^args\.value: "):
                    sums.invoke("half", {"value": wrong})
            with pytest.raises(pycom.BadRequest, match=r"args\.money: expected an amount such as"):
                sums.invoke("double", {"money": "12.50"})


def test_cli() -> None:
    def run(number: int, *arguments: str) -> Result:
        group = click.Group()
        plugin("pycom_cli", number).pycom_cli(group)
        return CliRunner().invoke(group, arguments)

    assert run(SMALL, "hello").output == "hello\n"
    waited = run(REAL, "wait", "-t", "200", "-n", "tcp://127.0.0.1:9", "com.foo.shop")
    assert isinstance(waited.exception, pycom.ServiceNotFound)


def test_authenticate(shop: Callable[..., World]) -> None:
    small = shop("pycom_authenticate", SMALL)
    assert small.call("caller") is None
    small.context.token = "letmein"
    assert small.call("caller") == "alice"
    signed = shop("pycom_authenticate", REAL, signed={"key": "k"})
    signed.context.token = f"signed:ann:{signed.plugin.sign('ann')}"
    assert signed.call("caller") == "ann"
    signed.context.token = f"signed:bob:{signed.plugin.sign('ann')}"
    with pytest.raises(pycom.AccessDenied, match="Bad signature"):
        signed.call("caller")


def test_authorize(shop: Callable[..., World]) -> None:
    small = shop("pycom_authorize", SMALL)
    assert small.call("list") == []
    with pytest.raises(pycom.AccessDenied, match="Only admins"):
        small.call("delete-all")
    roles = shop("pycom_authorize", REAL, roles={"com.foo.shop": "seller"})
    with pytest.raises(pycom.AccessDenied, match="for the role seller"):
        roles.call("list")
    with pytest.raises(pycom.ConfigurationError, match="must be the name of a role"):
        shop("pycom_authorize", REAL, roles={"com.foo.shop": 1})


def test_prehook(
    shop: Callable[..., World], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "calls"):
        shop("pycom_prehook", SMALL).call("list")
    assert "com.foo.shop.list by None" in caplog.messages
    flag = tmp_path / "maintenance"
    call = shop("pycom_prehook", REAL, maintenance={"file": str(flag)}).call
    assert call("buy", {"article": "tea"}) == "tea"
    flag.touch()
    with pytest.raises(pycom.Overloaded):
        call("buy", {"article": "tea"})
    assert call("list") == []


def test_invoke(shop: Callable[..., World], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "timing"):
        assert shop("pycom_invoke", SMALL).call("buy", {"article": "tea"}) == "tea"
    assert "com.foo.shop.buy took" in caplog.text
    call = shop("pycom_invoke", REAL, limit={"com.foo.shop": 1}).call
    assert call("buy", {"article": "tea"}) == "tea"
    with pytest.raises(pycom.Overloaded, match="is busy"):
        call("again")
    assert call("buy", {"article": "tea"}) == "tea"


def test_posthooks_on_both_sides(
    shop: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []
    world = shop("pycom_posthook", SMALL)
    world.context.posthooks.append(lambda component, data: seen.append(data.extensions))
    world.call("list")
    assert list(seen[0]) == ["com.foo.host"]
    world = shop("pycom_posthook", REAL, sunset={"com.foo.shop.buy": "2027-01-01"})
    world.runtime.plugins.register(plugin("pycom_client_posthook", SMALL), "log")
    world.runtime.plugins.register(plugin("pycom_client_posthook", REAL), "warn")
    world.call("list")  # a warning would be an error here
    with (
        caplog.at_level(logging.DEBUG, "calls"),
        pytest.warns(DeprecationWarning, match="buy ends on 2027-01-01"),
    ):
        world.call("buy", {"article": "tea"})
    assert "com.foo.shop answered buy" in caplog.messages


def test_end(shop: Callable[..., World], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = shop("pycom_end", SMALL)
    world.call("list")
    with pytest.raises(pycom.MethodNotFound):
        world.call("sell")
    world.runtime.connect("inproc://shop").exchange([b"NONSENSE", b"{}"], 1000)
    assert caplog.messages == ["com.foo.shop.list 0", "com.foo.shop.sell 2", ". 4"]
    caplog.clear()
    shop("pycom_end", REAL).call("list")
    assert caplog.messages == []
    world = shop("pycom_end", REAL, slow={"ms": -1})
    world.call("list")
    world.runtime.connect("inproc://shop").exchange([b"NONSENSE", b"{}"], 1000)
    called, unread = caplog.messages
    assert called.startswith("com.foo.shop.list for somebody: ")
    assert called.endswith(" ms, code 0")
    assert unread.startswith(". for somebody: ")
    assert unread.endswith(" ms, code 4")


def test_end_of_what_cannot_be_sent(
    shop: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "access")
    with pytest.raises(pycom.RemoteError, match="Unknown error"):
        shop("pycom_end", SMALL).call("unsendable")
    assert caplog.messages[-1] == "com.foo.shop.unsendable 1"


@pytest.mark.parametrize("number", [SMALL, REAL])
def test_end_of_the_command_of_a_plugin(
    number: int, shop: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world = shop("pycom_commands", number)
    world.runtime.plugins.register(plugin("pycom_end", SMALL), "end")
    command = [b"PING", b"LOAD"][number]
    world.runtime.connect("inproc://shop").exchange([command, b"{}"], 1000)
    assert caplog.messages == [". 0"]


def test_client_invoke(shop: Callable[..., World], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "timing"):
        assert shop("pycom_client_invoke", SMALL).call("list") == []
    assert "com.foo.shop.list took" in caplog.text
    with LocalNetwork(plugins={"breaker": plugin("pycom_client_invoke", REAL)}) as network:
        network.serve(Shop)
        component = network.context().locate("com.foo.shop")
        assert component.invoke("list") == []
        network.faults.drop(1)
        with pytest.raises(pycom.CallTimeout):
            component.invoke("list")
        with pytest.raises(pycom.ServiceNotAvailable, match="gave no answer a moment ago"):
            component.invoke("list")
        network.advance(6)
        assert component.invoke("list") == []


def test_client_invoke_that_forgets_the_response(shop: Callable[..., World]) -> None:
    @hookimpl(wrapper=True)
    def pycom_client_invoke() -> Any:
        yield

    world = shop("pycom_client_invoke", SMALL)
    forgetful = types.SimpleNamespace(pycom_client_invoke=pycom_client_invoke)
    world.runtime.plugins.register(forgetful, "forgetful")
    with pytest.raises(pycom.PycomError, match="forgetful"):
        world.call("list")


def recorded(runtime: Runtime) -> ServiceRecord:
    """Return the record of a shop that nameservers would get."""
    process = ServiceProcess(runtime, [Shop])
    process.loop.close()
    (replica,) = process.registrar._replicas
    return replica._record


def test_record_and_address(make_runtime: MakeRuntime) -> None:
    def place(hook: str, number: int, **others: Any) -> Runtime:
        return make_runtime({"example": plugin(hook, number)}, **others)

    def nearest(runtime: Runtime, record: ServiceRecord) -> str:
        return choose(pycom.Context(runtime=runtime), [record], "com.foo.shop").address

    record = recorded(place("pycom_record", SMALL, address="inproc://shop", ipc=False))
    assert record.metadata == {"com.foo.pid": os.getpid()}
    public, blue = "tcp://203.0.113.7:80", {"inside": {"network": "blue"}}
    told = {"address": "inproc://till", "advertise": public, "ipc": False}
    assert recorded(place("pycom_record", REAL, **told)).metadata == {}
    record = recorded(place("pycom_record", REAL, **{**told, "address": "inproc://c"}, tables=blue))
    assert record.address == public
    assert nearest(place("pycom_address", REAL, tables=blue), record) == "inproc://c"
    red = {"inside": {"network": "red"}}
    for elsewhere in ({}, red):
        assert nearest(place("pycom_address", REAL, tables=elsewhere), record) == public

    near, far = (ServiceRecord("/a", f"tcp://10.0.0.{n}:2013", ["com.foo.shop"]) for n in (1, 2))
    client = place("pycom_address", SMALL)
    assert [nearest(client, near), nearest(client, far)] == ["tcp://127.0.0.1:9013", far.address]


def test_client_prehook(shop: Callable[..., World]) -> None:
    seen: list[Any] = []
    world = shop("pycom_client_prehook", SMALL)
    world.context.posthooks.append(lambda component, data: seen.append(data.request))
    world.call("list")
    assert seen[0].extensions["com.foo.user"]
    outer, inner = shop("pycom_client_prehook", REAL).call("traces")
    assert len(outer) == 16
    assert inner == outer


def test_trace_goes_on_in_threads() -> None:
    with LocalNetwork(plugins={"trace": plugin("pycom_client_prehook", REAL)}) as network:
        network.serve(Shop, address="inproc://shop", threads=2)
        outer, inner = network.context().locate("com.foo.shop").invoke("traces")
    assert inner == outer


def test_configure(make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "pycom"):
        make_runtime({"example": plugin("pycom_configure", SMALL)})
    assert "example" in caplog.text
    mail = plugin("pycom_configure", REAL)
    make_runtime({"mail": mail}, tables={"mail": {"port": 587}})
    assert (mail.settings.server, mail.settings.port) == ("localhost", 587)
    with pytest.raises(pycom.ConfigurationError, match=r"mail\.prot; did you mean 'port'"):
        make_runtime({"mail": mail}, tables={"mail": {"prot": 1}})


def test_provide(shop: Callable[..., World], make_runtime: MakeRuntime) -> None:
    @pycom.interface("com.bar.other")
    class Other:
        pass

    with pytest.raises(pycom.PluginError, match="not one of our names"):
        shop("pycom_provide", SMALL).server.provide(Other)
    runtime = make_runtime({"health": plugin("pycom_provide", REAL)}, LocalTransport())
    world = World(runtime, None)
    assert world.call("health") == "sick"
    runtime.plugins.unregister("health")
    with pytest.raises(pycom.MethodNotFound):
        world.call("health")


def test_startup_and_shutdown(
    shop: Callable[..., World], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pycom")
    with running(shop("pycom_startup", SMALL).server):
        assert "Listening on inproc://shop" in caplog.messages
    with running(shop("pycom_shutdown", SMALL).server):
        assert "That was all" not in caplog.messages
    assert "That was all" in caplog.messages
    path = tmp_path / "address"
    with running(shop("pycom_shutdown", REAL, address_file={"path": str(path)}).server):
        assert path.read_text() == "inproc://shop"
    assert not path.exists()


def test_close(
    shop: Callable[..., World], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pycom")
    world = shop("pycom_close", SMALL)
    assert "A runtime for clients closes" not in caplog.messages
    world.runtime.close()
    assert "A runtime for clients closes" in caplog.messages
    path = tmp_path / "calls.txt"
    world = shop("pycom_close", REAL, journal={"path": str(path)})
    world.call("list")
    world.runtime.close()
    assert path.read_text() == "com.foo.shop.list\n"
    assert world.plugin.file.closed


def test_admit(shop: Callable[..., World]) -> None:
    known, stranger = Peer("tcp://10.0.0.1:7", "k1"), Peer("tcp://10.0.0.2:7")
    small = shop("pycom_admit", SMALL)
    small.runtime.admit(known)
    with pytest.raises(pycom.AccessDenied, match="Only encrypted"):
        small.runtime.admit(stranger)
    real = shop("pycom_admit", REAL, keys={"k1": "alice"})
    real.runtime.admit(known)
    with pytest.raises(pycom.AccessDenied, match=r"The key of tcp://10\.0\.0\.2:7 is not known"):
        real.runtime.admit(stranger)
    replies: list[Any] = []
    frames = [b"client", b"", *payload("com.foo.shop", "caller")]
    real.server.accept(Delivery(frames, time.monotonic(), replies.append, known))
    assert answer_in(replies[0][2:])["result"] == "alice"
    assert real.call("caller") is None


def test_heartbeat(shop: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    beats: list[tuple[Callable[[], None], float]] = []

    class Task:
        def __init__(self, callback: Callable[[], None], timeout: float) -> None:
            self.start = lambda: beats.append((callback, timeout))
            self.stop = beats.clear

    world = shop("pycom_startup", REAL)
    monkeypatch.setattr(world.runtime, "create_task", Task)
    with running(world.server):
        ((beat, timeout),) = beats
        assert timeout == 10_000
        beat()
    assert not beats


@pytest.mark.skipif(not zmq.has("curve"), reason="this libzmq was built without CURVE")
def test_socket(make_runtime: MakeRuntime) -> None:
    public, secret = (key.decode() for key in zmq.curve_keypair())
    stranger = zmq.curve_keypair()[0].decode()

    def runtime(**keys: str) -> Runtime:
        plugins = {"curve": plugin("pycom_socket", REAL), "small": plugin("pycom_socket", SMALL)}
        return make_runtime(plugins, None, tables={"curve": keys})

    def call(client: Runtime, timeout: float) -> Any:
        with contextlib.closing(pycom.Context(runtime=client)) as context:
            component = context.connect(server.addresses[0], "com.foo.shop")
            return component.invoke("buy", {"article": "tea"}, timeout=timeout)

    server = ServiceServer(["tcp://127.0.0.1:*"], [Shop], runtime(public=public, secret=secret))
    with running(server):
        assert call(runtime(public=public), 10_000) == "tea"
        for other in (runtime(public=stranger), make_runtime(None, None)):
            with pytest.raises((pycom.CallTimeout, pycom.ServiceNotAvailable)):
                call(other, 300)


def test_encrypted_connections(make_runtime: MakeRuntime) -> None:
    page = sections(ROOT / "docs" / "extending.rst")
    module = run(python_in(page["Encrypted connections"])[0])

    def runtime() -> Runtime:
        public, secret = (key.decode() for key in zmq.curve_keypair())
        known = {"encryption": {"public": public, "secret": secret}}
        return make_runtime({"encryption": module.Encryption()}, None, tables=known)

    def call(client: Runtime) -> Any:
        component = pycom.Context(runtime=client).connect(server.addresses[0], "com.foo.shop")
        return component.invoke("buy", {"article": "tea"}, timeout=10_000)

    ours = runtime()
    server = ServiceServer(["tcp://127.0.0.1:*"], [Shop], ours)
    with running(server):
        ours.servers.clear()  # else the call would stay in this process
        assert call(ours) == "tea"
        for other in (runtime(), make_runtime(None, None)):
            with pytest.raises(pycom.ServiceNotAvailable):
                call(other)


def test_curfew() -> None:
    page = sections(ROOT / "docs" / "extending.rst")
    module = run(python_in(page["A plugin in five minutes"])[0])
    module.pycom_prehook(None, None, None)
    module.OPENS = module.CLOSES = datetime.time.max
    with pytest.raises(pycom.Overloaded):
        module.pycom_prehook(None, None, None)
