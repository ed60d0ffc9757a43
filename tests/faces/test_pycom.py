"""The names that `import pycom` gives, at work."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from in_process import MakeRuntime, call, running

import pycom
import zerojson
from pycom.apps import demo
from pycom_core import Runtime, ServiceServer, constants

ANY_PORT = "tcp://127.0.0.1:*"


# The decorators.


@pycom.interface("com.foo.example")
class Example(pycom.Service):
    """An example."""

    introspection_data = {"color": "red"}  # noqa: RUF012

    @pycom.method
    def plain(self, request: Any, name: Any, value: Any = None) -> Any:
        """Plainly."""
        return {name: value}

    @pycom.method("remote.name")
    def named(self, request: Any) -> Any:
        return "named"

    @pycom.method(name="by_keyword")
    def named_too(self, request: Any) -> Any:
        return "by keyword"

    @pycom.method()
    def empty(self, request: Any) -> Any:
        return "empty"

    @pycom.method(results=("first", "second"))
    def several(self, request: Any) -> Any:
        return 1, 2

    @pycom.method(results=("size", "out"), attachments=("blob", "out"))
    def attached(self, request: Any, blob: Any) -> Any:
        return len(blob), bytes(blob) * 2


@pytest.mark.parametrize(
    ("method", "name", "required", "optional", "results", "attachments"),
    [
        (Example.plain, "plain", ["name"], ["value"], (), (None, None)),
        (Example.named, "remote.name", [], [], (), (None, None)),
        (Example.named_too, "by_keyword", [], [], (), (None, None)),
        (Example.empty, "empty", [], [], (), (None, None)),
        (Example.several, "several", [], [], ("first", "second"), (None, None)),
        (Example.attached, "attached", ["blob"], [], ("size", "out"), ("blob", "out")),
    ],
)
def test_every_form_of_method(
    method: Any, name: str, required: Any, optional: Any, results: Any, attachments: Any
) -> None:
    info = method.__method__
    assert isinstance(info, pycom.interfaces.Method)
    assert info.wrapped is method
    assert (info.name, list(info.results), info.attachments) == (name, list(results), attachments)
    assert (info.required_arguments, info.optional_arguments) == (required, optional)
    assert info.prehooks == info.posthooks == []
    assert Example.__interface__.methods[name] is info


def test_decorated_method_is_still_a_function() -> None:
    request = zerojson.Request("com.foo.example", "plain")
    assert Example().plain(request, "a", 1) == {"a": 1}


def test_method_with_a_body_is_no_decorator() -> None:
    def body(self: Any, request: Any, what: Any) -> Any:
        return [type(self).__name__, what]

    made = pycom.method("added", body=body)
    assert isinstance(made, pycom.interfaces.Method)
    assert (made.wrapped, made.name) == (body, "added")
    assert not hasattr(body, "__method__")
    assert pycom.method(None, body).name == "body"

    @pycom.interface("com.foo.open")
    class Open:
        pass

    iface = Open.__interface__
    iface.register_method(made)
    assert iface.invoke("added", {"what": 1}) == ["Open", 1]
    with pytest.raises(RuntimeError, match="already registered"):
        iface.register_method(pycom.method("added", body=body))


def test_method_factory_with_a_call_of_its_own(make_runtime: MakeRuntime) -> None:
    class Counted(pycom.interfaces.Method):
        calls = 0

        def call(self, iface: Any, request: Any) -> Any:
            Counted.calls += 1
            response = super().call(iface, request)
            response.result = [iface.name, response.result]
            return response

        def post_configure(self, owner_iface: Any) -> None:
            self.owner = owner_iface

    @pycom.interface("com.foo.counted")
    class Service:
        @pycom.method(method_factory=Counted, results=("value",))
        def thing(self, request: Any, value: Any = 1) -> Any:
            return value

    iface = Service.__interface__
    assert isinstance(iface.methods["thing"], Counted)
    assert iface.methods["thing"].owner is iface
    assert iface.invoke("thing") == ["com.foo.counted", {"value": 1}]
    server = ServiceServer(["local://a"], [Service], make_runtime())
    result = call(server, "com.foo.counted", "thing", {"value": 2})["result"]
    assert result == ["com.foo.counted", {"value": 2}]
    assert Counted.calls == 2


def test_interface() -> None:
    iface = Example.__interface__
    assert isinstance(iface, pycom.interfaces.Interface)
    assert isinstance(iface, pycom.BaseComponent)
    assert (iface.name, iface.stateful, iface.authentication) == ("com.foo.example", False, None)
    assert Example().__interface__ is iface

    @pycom.interface("com.foo.kept", stateful=True, authentication="required")
    class Kept:
        pass

    assert (Kept.__interface__.stateful, Kept.__interface__.authentication) == (True, "required")


# Arguments.


@pytest.mark.parametrize(
    "args", [{"name": "a"}, {"name": "a", "value": None}, {"name": "a", "x": 1}]
)
def test_arguments_come_by_name(args: Any) -> None:
    assert Example.__interface__.invoke("plain", args) == {"a": None}


@pytest.mark.parametrize("args", [None, {}, {"value": 1}, [], ["a"], "a", 1])
def test_arguments_that_are_none(args: Any) -> None:
    with pytest.raises(pycom.BadRequest):
        Example.__interface__.invoke("plain", args)


def test_interface_invokes_without_a_network() -> None:
    iface = Example.__interface__
    with iface as same:
        assert same is iface
        assert iface.invoke("several", timeout=1) == {"first": 1, "second": 2}
        assert iface.invoke("attached", attachment=b"ab") == ({"size": 2}, b"abab")
        response = iface.invoke_with_request(
            zerojson.Request("com.foo.example", "plain", args={"name": "b"}), timeout=1
        )
    assert isinstance(response, zerojson.Response)
    assert response.result == {"b": None}
    with pytest.raises(pycom.MethodNotFound):
        iface.invoke("missing")


# Introspection.


def test_introspect() -> None:
    found = Example.__interface__.introspect()
    assert (found["name"], found["docstring"]) == ("com.foo.example", "An example.")
    assert found["data"] == {"color": "red"}
    methods = found["methods"]
    assert methods.keys() == {
        *("plain", "remote.name", "by_keyword", "empty", "several", "attached", "introspect")
    }
    assert {key: methods["plain"][key] for key in sorted(methods["plain"])} == {
        "attachments": {"incoming": None, "outgoing": None},
        "docstring": "Plainly.",
        "optional_arguments": ["value"],
        "required_arguments": ["name"],
        "results": [],
    }
    assert methods["attached"]["attachments"] == {"incoming": "blob", "outgoing": "out"}
    assert methods["attached"]["results"] == ["size", "out"]
    assert methods["empty"]["docstring"] is None
    json.dumps(found)


@pytest.mark.parametrize("data", [[], None, "text", 1])
def test_introspection_data_is_a_dict(data: Any) -> None:
    wrong = type("Wrong", (pycom.Service,), {"introspection_data": data})
    with pytest.raises(TypeError, match="introspection_data"):
        pycom.interface("com.foo.wrong")(wrong)


def test_service_is_a_mix_in_too(make_runtime: MakeRuntime) -> None:
    class Base:
        pass

    @pycom.interface("com.foo.mixed")
    class Mixed(Base, pycom.Service):
        pass

    server = ServiceServer(["local://a"], [Mixed], make_runtime())
    assert call(server, "com.foo.mixed", "introspect")["result"]["data"] == {}


# Hooks on a method.


def test_example_of_the_documentation() -> None:
    called: list[Any] = []

    def setup_my_hook(meth: Any) -> Any:
        def my_hook(iface: Any, method: Any, data: Any) -> None:
            called.append((iface.name, method.name, type(data)))

        meth.__method__.prehooks.append(my_hook)
        meth.__method__.posthooks.append(my_hook)
        return meth

    @pycom.interface("com.foo.hooked")
    class InterfaceWithMethods(pycom.Service):
        @setup_my_hook
        @pycom.method
        def method1(self, request: Any) -> str:
            return "done"

    assert InterfaceWithMethods.__interface__.invoke("method1") == "done"
    assert called == [
        ("com.foo.hooked", "method1", zerojson.Request),
        ("com.foo.hooked", "method1", zerojson.Response),
    ]


def test_hook_that_returns_an_object_replaces(make_runtime: MakeRuntime) -> None:
    @pycom.interface("com.foo.replaced")
    class Replaced:
        @pycom.method
        def echo(self, request: Any, value: Any) -> Any:
            return value

    info = Replaced.echo.__method__  # type: ignore[attr-defined]
    info.prehooks.append(
        lambda iface, method, data: zerojson.Request(
            data.interface, data.method, args={"value": [data.args["value"]]}
        )
    )
    info.posthooks.append(lambda iface, method, data: data.request.response({"was": data.result}))
    server = ServiceServer(["local://a"], [Replaced], make_runtime())
    for result in (
        Replaced.__interface__.invoke("echo", {"value": 1}),
        call(server, "com.foo.replaced", "echo", {"value": 1})["result"],
    ):
        assert result == {"was": [1]}


# The loop.


def test_logger() -> None:
    assert isinstance(pycom.logger(), logging.Logger)
    assert pycom.logger() is pycom.logger() is zerojson.logger()
    assert pycom.logger().name == "pycom"


@pytest.mark.usefixtures("default_runtime")
def test_ioloop_is_what_services_run_on() -> None:
    loop = pycom.ioloop()
    assert isinstance(loop, asyncio.AbstractEventLoop)
    assert pycom.ioloop() is zerojson.ioloop() is loop
    server = zerojson.Server([ANY_PORT])
    server.setup()
    assert server.loop is loop
    server.close()


@pytest.mark.usefixtures("default_runtime")
def test_task_repeats_from_start_to_stop(caplog: pytest.LogCaptureFixture) -> None:
    loop = pycom.ioloop()
    ran: list[str] = []

    def twice() -> None:
        ran.append("task")
        if len(ran) == 2:
            task.stop()
            loop.call_later(0.02, loop.stop)
        raise KeyError("goes on all the same")

    task = pycom.create_task(twice, 1)
    never = pycom.create_task(lambda: ran.append("never"), 1)
    task.start()
    task.start()
    loop.run_forever()
    assert ran == ["task", "task"]
    assert caplog.text.count("A repeating task failed") == 2
    task.stop()
    never.stop()
    task.start()
    never.start()
    never.stop()
    loop.call_later(0.02, loop.stop)
    loop.run_forever()
    task.stop()
    assert ran.count("task") > 2
    assert "never" not in ran


# Configuration.


@pytest.mark.usefixtures("default_runtime")
def test_configure_and_configuration(tmp_path: Path) -> None:
    file = tmp_path / "service.json"
    file.write_text(
        json.dumps(
            {
                "address": "tcp://127.0.0.1:2013",
                "service": "/com/foo",
                "nameserver": "tcp://127.0.0.1:2012",
                "authentication": {"policy": "required"},
            }
        )
    )
    assert pycom.configuration["nameserver"] == "local"
    pycom.configure(str(file), service="/com/bar")
    assert pycom.configuration["address"] == "tcp://127.0.0.1:2013"
    assert pycom.configuration["service"] == "/com/bar"
    assert pycom.configuration["nameserver"] == "tcp://127.0.0.1:2012"
    assert pycom.configuration["authentication"] == {"policy": "required"}
    assert pycom.configuration.get("nonsense") is None
    assert set(pycom.configuration) >= {"address", "service", "nameserver", "authentication"}
    assert len(pycom.configuration) == len(list(pycom.configuration))
    pycom.configure(balancer="round-robin")
    assert pycom.configuration["service"] == "/com/bar"


@pytest.mark.usefixtures("default_runtime")
def test_configuration_is_for_reading() -> None:
    with pytest.raises(TypeError):
        pycom.configuration["service"] = "/x"  # type: ignore[index]
    with pytest.raises(TypeError):
        del pycom.configuration["service"]  # type: ignore[attr-defined]
    pycom.configuration["authentication"]["policy"] = "required"
    assert pycom.configuration["authentication"] == {"policy": None}
    with pytest.raises(KeyError):
        pycom.configuration["nonsense"]


@pytest.mark.usefixtures("default_runtime")
@pytest.mark.parametrize("mistake", [{"nonsense": 1}, {"address": 1}, {"file": "/nowhere/at/all"}])
def test_configure_with_a_mistake(mistake: Any) -> None:
    with pytest.raises(pycom.ConfigurationError):
        pycom.configure(**mistake)


@pytest.mark.usefixtures("default_runtime")
def test_main_without_an_address() -> None:
    with pytest.raises(pycom.ConfigurationError, match="needs an address"):
        pycom.main()
    with pytest.raises(pycom.ConfigurationError, match="needs an address"):
        pycom.main(["pycom.apps.demo"])


# Calling.


@pytest.fixture
def network(make_runtime: MakeRuntime) -> Any:
    """A nameserver and the demo on TCP; gives the address of the nameserver."""
    from pycom.apps.nameserver import NameServer

    names = ServiceServer([ANY_PORT], [NameServer()], make_runtime(transport=None))
    served = ServiceServer([ANY_PORT], [demo.Demo], make_runtime(transport=None))
    with running(names), running(served):
        caller = pycom.Context(names.addresses[0], runtime=make_runtime(transport=None))
        caller.nameserver().invoke(
            "register",
            {
                "address": served.addresses[0],
                "service": "/demo",
                "interfaces": [demo.INTERFACE],
            },
        )
        caller.close()
        yield names.addresses[0]


@pytest.mark.usefixtures("default_runtime")
def test_call_through_a_nameserver(network: str) -> None:
    context = pycom.Context(nameserver=network)
    with context.locate("org.pycom.demo") as component:
        assert isinstance(component, pycom.BaseComponent)
        assert isinstance(component, zerojson.Client)
        assert component.name == "org.pycom.demo"
        assert component.invoke("echo", [1]) == [1]
        with pytest.raises(pycom.RemoteError, match=r"^\{'a': 1\}$"):
            component.invoke("throw", {"a": 1})
    with pytest.raises(pycom.ServiceNotFound):
        context.locate("org.pycom.nothing")
    context.close()


@pytest.mark.usefixtures("default_runtime")
def test_proxies_through_a_nameserver(network: str) -> None:
    context = pycom.ProxyContext(nameserver=network)
    with context.locate("org.pycom.demo", "/demo") as component:
        assert isinstance(component, pycom.ProxyComponent)
        assert component.echo() == {}
        assert "echo" in component.introspect().methods
    assert context.nameserver().stat() == {}
    context.close()


@pytest.mark.usefixtures("default_runtime")
def test_context_of_the_configuration(network: str) -> None:
    pycom.configure(nameserver=network)
    context = pycom.Context()
    assert context.locate("org.pycom.demo").invoke("echo", 1) == 1
    context.close()


@pytest.mark.usefixtures("default_runtime")
def test_detect_ns(network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = pycom.nsclient.detect_ns(network)
    assert found.name == "org.pycom.nameserver"
    assert found.invoke("list_services")[0]["service"] == "/demo"
    address = found.invoke("locate", {"interface": "org.pycom.demo"})["address"]
    found.close()
    with pytest.raises(pycom.RemoteError, match="Unsupported interface"):
        pycom.nsclient.detect_ns(address)
    with pytest.raises(pycom.ConfigurationError):
        pycom.nsclient.detect_ns("nonsense")
    monkeypatch.setattr(constants, "PROTO_DEFAULT_TIMEOUT", 30)
    with pytest.raises(pycom.ServiceNotFound, match="No nameserver answers at tcp://127.0.0.1:1"):
        pycom.nsclient.detect_ns("tcp://127.0.0.1:1")


def test_nameserver_beside_a_service_is_local(default_runtime: Callable[[], Runtime]) -> None:
    from pycom.apps.nameserver import NameServer

    runtime = default_runtime()
    ServiceServer([ANY_PORT], [NameServer()], runtime)
    context = pycom.Context()
    assert context.nameservers == ["local"]
    assert context.nameserver().invoke("stat") == {}
    context.close()


def test_demo(make_runtime: MakeRuntime) -> None:
    server = ServiceServer(["local://a"], [demo.Demo], make_runtime())
    assert call(server, demo.INTERFACE, "echo", {"a": [1]})["result"] == {"a": [1]}
    assert call(server, demo.INTERFACE, "throw", {"a": 1}) == {"code": 1, "error": "{'a': 1}"}


def test_futures_from_another_thread(make_runtime: MakeRuntime) -> None:
    @pycom.interface("com.foo.later")
    class Later:
        @pycom.method
        def result(self, request: Any, how: str) -> Any:
            future = zerojson.Future(request)
            threading.Thread(target=self.complete, args=[future, how]).start()
            return future

        def complete(self, future: Any, how: str) -> None:
            if how == "response":
                future.response("done")
            elif how == "error":
                future.error(77, message="teapot")
            else:
                try:
                    raise KeyError("secret")
                except KeyError:
                    future.exception()

    server = ServiceServer(["local://a"], [Later], make_runtime())
    assert call(server, "com.foo.later", "result", {"how": "response"})["result"] == "done"
    error = call(server, "com.foo.later", "result", {"how": "error"})
    assert error == {"code": 77, "error": "teapot"}
    unknown = call(server, "com.foo.later", "result", {"how": "exception"})
    assert unknown == {"code": 1, "error": "Unknown error during request"}
