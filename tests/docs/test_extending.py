"""The examples of the page on extending are plugins, and do what the page says."""

from __future__ import annotations

import datetime
import json
import logging
import threading
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from click.testing import CliRunner
from documents import ROOT, python_in, sections

import pycom
from pycom_core import (
    LocalTransport,
    Runtime,
    ServiceRecord,
    ServiceServer,
    Settings,
    cli,
)
from pycom_core.testing import BalancerContract, SessionStoreContract

HOOKS = {
    heading.partition("(")[0]: python_in(text)
    for heading, text in sections(ROOT / "docs" / "extending.rst").items()
    if heading.startswith("pycom_")
}
SMALL, REAL = 0, 1


@pycom.interface("com.foo.shop")
class Shop(pycom.Service):
    """What the plugins are tried on."""

    closed = False

    @pycom.method
    def buy(self, request: pycom.BaseComponent, article: str) -> str:
        return article

    @pycom.method("list")
    def all_articles(self, request: Any) -> list[str]:
        return []

    @pycom.method("delete-all")
    def delete_all(self, request: Any) -> None:
        pass

    @pycom.method
    def again(self, request: Any) -> Any:
        return request.context().connect("test:shop", "com.foo.shop").buy("tea")

    @pycom.method
    def trace(self, request: Any) -> Any:
        return request.extensions.get("com.foo.trace")

    @pycom.method
    def inner_trace(self, request: Any) -> Any:
        return [self.trace(request), request.context().connect("test:shop", "com.foo.shop").trace()]

    def check_health(self) -> str:
        return "sick"


def example(hook: str, number: int) -> types.ModuleType:
    """A module made of one of the examples of a hook."""
    module = types.ModuleType(f"{hook}_{number}")
    exec(compile(HOOKS[hook][number], module.__name__, "exec"), vars(module))
    return module


def plugin(hook: str, number: int) -> object:
    """The plugin in an example: the module, or an object of the class that has the hooks."""
    module = example(hook, number)
    if hasattr(module, hook):
        return module
    (owner,) = (value for value in vars(module).values() if hasattr(value, hook))
    return owner()


@pytest.fixture
def made() -> Iterator[list[Runtime]]:
    """Runtimes to be closed at the end."""
    runtimes: list[Runtime] = []
    yield runtimes
    for runtime in runtimes:
        runtime.close()


@pytest.fixture
def shop(made: list[Runtime]) -> Any:
    """Makes a component of a shop that has the plugins of an example, and of a table."""

    def make(hook: str, number: int, token: Any = None, **tables: Any) -> pycom.Context:
        found = plugin(hook, number)
        runtime = Runtime(
            Settings(tables=tables), plugins={"example": found}, transport=LocalTransport()
        )
        made.append(runtime)
        server = ServiceServer(["test:shop"], [Shop], runtime)
        server.setup()
        context = pycom.Context(runtime=runtime)
        context.token = token
        component = context.connect(server.addresses[0], "com.foo.shop")
        component.server, component.plugin = server, found  # type: ignore[attr-defined]
        return component

    return make


def test_two_examples_of_each_hook() -> None:
    assert {hook: len(examples) for hook, examples in HOOKS.items()} == dict.fromkeys(HOOKS, 2)


@pytest.mark.parametrize("number", [SMALL, REAL])
@pytest.mark.parametrize("hook", HOOKS)
def test_example_is_a_plugin(hook: str, number: int, made: list[Runtime]) -> None:
    runtime = Runtime(Settings(), plugins={"example": plugin(hook, number)})
    made.append(runtime)
    assert hook in runtime.plugins.hooks_of("example")


def test_commands(shop: Any) -> None:
    def ask(number: int, command: bytes, body: bytes) -> Any:
        component = shop("pycom_commands", number)
        channel = component.server.runtime.connect("test:shop")
        status, reply = channel.exchange([command, body], 1000)
        assert status == b"OK"
        return json.loads(bytes(reply))

    assert ask(SMALL, b"PING", b'{"any": 1}') == {"any": 1}
    assert ask(REAL, b"LOAD", b"{}")["load"] == {"in_flight": 1, "most": 10_000}
    assert ask(REAL, b"LOAD", b'{"of": "moon"}')["code"] == 4


async def test_nameserver_backends(tmp_path: Path) -> None:
    record = ServiceRecord("/com/foo/one", "tcp://10.0.0.1:2013", ("com.foo",))
    nowhere = example("pycom_nameserver_backends", SMALL).Nowhere()
    await nowhere.register(record, 60)
    assert list(await nowhere.list()) == []
    entry = {"service": record.service, "address": record.address, "interfaces": ["com.foo"]}
    path = tmp_path / "services.json"
    path.write_text(json.dumps([entry]))
    fixed = example("pycom_nameserver_backends", REAL).Fixed(f"fixed://{path}")
    await fixed.register(record, 60)
    assert list(await fixed.find("com.foo")) == list(await fixed.list()) == [record]
    assert list(await fixed.find("com.foo", "/com/foo/two")) == []
    with pytest.raises(pycom.AccessDenied):
        await fixed.register(ServiceRecord("/other", record.address, ("com.foo",)), 60)


class TestBoundedStore(SessionStoreContract):
    @pytest.fixture
    def store_factory(self, clock: Any) -> Any:
        bounded = example("pycom_session_stores", REAL).Bounded
        return lambda: bounded("bounded:1000", clock.now)


async def test_session_stores() -> None:
    bounded = example("pycom_session_stores", REAL).Bounded("bounded:2")
    for name in "abc":
        await bounded.save(name, {}, 60)
    assert [await bounded.load(name) for name in "abc"] == [None, {}, {}]
    forever = example("pycom_session_stores", SMALL).Forever("forever:")
    await forever.save("a", {"n": 1}, 0)
    assert await forever.load("a") == {"n": 1}


class TestNearBalancer(BalancerContract):
    @pytest.fixture
    def balancer_factory(self) -> Any:
        near = example("pycom_balancers", REAL).Near
        return lambda: near("near:nowhere")


def test_balancers() -> None:
    records = [
        ServiceRecord(f"/{number}", f"tcp://10.{number}.0.1:2013", ()) for number in (2, 1, 3)
    ]
    assert example("pycom_balancers", SMALL).First().choose(records) == records[1]
    near = example("pycom_balancers", REAL).Near("near:tcp://10.3.")
    assert {near.choose(records) for _ in range(5)} == {records[2]}


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command that an example adds to the command line."""

    def run(number: int, *arguments: str) -> Any:
        group = cli.click.Group()
        plugin("pycom_cli", number).pycom_cli(group)  # type: ignore[attr-defined]
        return CliRunner().invoke(group, arguments)

    return run


def test_cli(program: Any) -> None:
    assert program(SMALL, "hello").output == "hello\n"
    waited = program(REAL, "wait", "-t", "200", "-n", "tcp://127.0.0.1:9", "com.foo.shop")
    assert isinstance(waited.exception, pycom.ServiceNotFound)


def test_authenticate(shop: Any) -> None:
    small = shop("pycom_authenticate", SMALL, token="letmein")
    assert small.invoke("list") == []
    signed = shop("pycom_authenticate", REAL, signed={"key": "k"})
    signed.context.token = f"signed:ann:{signed.plugin.sign('ann')}"
    assert signed.invoke("list") == []
    signed.context.token = f"signed:bob:{signed.plugin.sign('ann')}"
    with pytest.raises(pycom.AccessDenied, match="Bad signature"):
        signed.invoke("list")


def test_authorize(shop: Any) -> None:
    small = shop("pycom_authorize", SMALL)
    assert small.invoke("list") == []
    with pytest.raises(pycom.AccessDenied, match="Only admins"):
        small.invoke("delete-all")
    roles = shop("pycom_authorize", REAL, roles={"com.foo.shop": "seller"})
    with pytest.raises(pycom.AccessDenied, match="for the role seller"):
        roles.invoke("list")
    with pytest.raises(pycom.ConfigurationError, match="must be the name of a role"):
        shop("pycom_authorize", REAL, roles={"com.foo.shop": 1})


def test_prehook(shop: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "calls"):
        shop("pycom_prehook", SMALL).invoke("list")
    assert "com.foo.shop.list by None" in caplog.messages
    flag = tmp_path / "maintenance"
    component = shop("pycom_prehook", REAL, maintenance={"file": str(flag)})
    assert component.invoke("buy", {"article": "tea"}) == "tea"
    flag.touch()
    with pytest.raises(pycom.Overloaded):
        component.invoke("buy", {"article": "tea"})
    assert component.invoke("list") == []


def test_invoke(shop: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "timing"):
        assert shop("pycom_invoke", SMALL).invoke("buy", {"article": "tea"}) == "tea"
    assert "com.foo.shop.buy took" in caplog.text
    component = shop("pycom_invoke", REAL, limit={"com.foo.shop": 1})
    assert component.invoke("buy", {"article": "tea"}) == "tea"
    with pytest.raises(pycom.Overloaded, match="is busy"):
        component.invoke("again")
    assert component.invoke("buy", {"article": "tea"}) == "tea"


def test_posthooks_on_both_sides(shop: Any, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Any] = []
    component = shop("pycom_posthook", SMALL)
    component.context.posthooks.append(lambda component, data: seen.append(data.extensions))
    component.invoke("list")
    assert list(seen[0]) == ["com.foo.host"]
    component = shop("pycom_posthook", REAL, sunset={"com.foo.shop.buy": "2027-01-01"})
    runtime = component.server.runtime
    runtime.plugins.register(plugin("pycom_client_posthook", SMALL), "log")
    runtime.plugins.register(plugin("pycom_client_posthook", REAL), "warn")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        component.invoke("list")
    with (
        caplog.at_level(logging.DEBUG, "calls"),
        pytest.warns(DeprecationWarning, match="buy ends on 2027-01-01"),
    ):
        component.invoke("buy", {"article": "tea"})
    assert "com.foo.shop answered buy" in caplog.messages


def test_client_prehook(shop: Any) -> None:
    seen: list[Any] = []
    component = shop("pycom_client_prehook", SMALL)
    component.context.posthooks.append(lambda component, data: seen.append(data.request))
    component.invoke("list")
    assert seen[0].extensions["com.foo.user"]
    outer, inner = shop("pycom_client_prehook", REAL).invoke("inner_trace")
    assert len(outer) == 16
    assert inner == outer


def test_configure(made: list[Runtime], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "pycom"):
        made.append(Runtime(Settings(), plugins={"example": plugin("pycom_configure", SMALL)}))
    assert "example" in caplog.text
    mail: Any = plugin("pycom_configure", REAL)
    made.append(Runtime(Settings(tables={"mail": {"port": 587}}), plugins={"mail": mail}))
    assert (mail.settings.server, mail.settings.port) == ("localhost", 587)
    with pytest.raises(pycom.ConfigurationError, match=r"mail\.prot; did you mean 'port'"):
        Runtime(Settings(tables={"mail": {"prot": 1}}), plugins={"mail": mail})


def test_provide(shop: Any, made: list[Runtime]) -> None:
    assert shop("pycom_provide", SMALL).invoke("list") == []

    @pycom.interface("com.bar.other")
    class Other:
        pass

    with pytest.raises(pycom.PluginError, match="not one of our names"):
        ServiceServer([], [Other], made[0])
    component = shop("pycom_provide", REAL)
    runtime = component.server.runtime
    runtime.plugins.unregister("example")
    runtime.plugins.register(plugin("pycom_provide", REAL), "health")
    assert component.invoke("health") == "sick"
    runtime.plugins.unregister("health")
    with pytest.raises(pycom.MethodNotFound):
        component.invoke("health")
    del Shop.__interface__.methods["health"]  # type: ignore[attr-defined]


def test_startup_and_shutdown(
    shop: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "pycom"):
        shop("pycom_startup", SMALL)
        assert "Listening on test:shop" in caplog.messages
        shop("pycom_shutdown", SMALL).server.close()
        assert "That was all" in caplog.messages
    path = tmp_path / "address"
    component = shop("pycom_shutdown", REAL, address_file={"path": str(path)})
    assert path.read_text() == "test:shop"
    component.server.close()
    assert not path.exists()
    shop("pycom_startup", REAL).server.close()


@pytest.mark.skipif(not zmq.has("curve"), reason="this libzmq was built without CURVE")
def test_socket(made: list[Runtime]) -> None:
    public, secret = (key.decode() for key in zmq.curve_keypair())
    stranger = zmq.curve_keypair()[0].decode()

    def runtime(**keys: str) -> Runtime:
        plugins = {"curve": plugin("pycom_socket", REAL), "small": plugin("pycom_socket", SMALL)}
        made.append(Runtime(Settings(tables={"curve": keys}), plugins=plugins))
        return made[-1]

    server = ServiceServer(["tcp://127.0.0.1:*"], [Shop], runtime(public=public, secret=secret))
    server.setup()
    assert server.loop is not None
    thread = threading.Thread(target=server.loop.run_forever)
    thread.start()
    try:

        def call(client: Runtime, timeout: float) -> Any:
            component = pycom.Context(runtime=client).connect(server.addresses[0], "com.foo.shop")
            return component.invoke("buy", {"article": "tea"}, timeout=timeout)

        assert call(runtime(public=public), 10_000) == "tea"
        made.append(Runtime(Settings()))
        for other in (runtime(public=stranger), made[-1]):
            with pytest.raises(pycom.CallTimeout):
                call(other, 300)
    finally:
        server.loop.call_soon_threadsafe(server.loop.stop)
        thread.join()


def test_opening_hours(made: list[Runtime]) -> None:
    (code,) = (code for code in python_in(sections(ROOT / "docs" / "extending.rst")[
        "A plugin in five minutes"]) if "Overloaded" in code)
    curfew = types.ModuleType("curfew")
    exec(compile(code, "curfew", "exec"), vars(curfew))
    curfew.pycom_prehook(None, None, None)
    curfew.OPENS = curfew.CLOSES = datetime.time.max
    with pytest.raises(pycom.Overloaded):
        curfew.pycom_prehook(None, None, None)
