"""Failures of plugins: the messages for the user, and the work that goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from click.testing import CliRunner
from faulty import Faulty
from helpers import Dealer, until
from in_process import MakeRuntime, call, running

from pycom_core import (
    AccessDenied,
    CallTimeout,
    ConfigurationError,
    Context,
    Identity,
    Peer,
    PluginError,
    PycomError,
    Request,
    Runtime,
    ServiceRecord,
    ServiceServer,
    cli,
    hookimpl,
    interface,
    method,
)
from pycom_core.client._choice import choose
from pycom_core.constants import DEADLINE_EXTENSION
from pycom_core.plugins._implementations import hook_names
from pycom_core.process._launcher import ServiceProcess

#: The beginning of the message on a plugin that breaks the rules.
BLAME = ("'bad'", "dist-bad 1.0", "plugins.disable")
ANY_PORT = "tcp://127.0.0.1:*"


@interface("com.foo.victim")
class Greeter:
    @method
    def greet(self, request: Request) -> str:
        return "Hello"


def serve(runtime: Runtime, address: str = "local://a") -> ServiceServer:
    return ServiceServer([address], [Greeter], runtime)


def stops_the_runtime(faulty: Faulty) -> str:
    with pytest.raises(PluginError) as caught:
        faulty.make_runtime()
    return str(caught.value)


def stops_the_server(faulty: Faulty) -> str:
    runtime = faulty.make_runtime()
    with pytest.raises(PluginError) as caught:
        serve(runtime)
    assert runtime.servers == []
    return str(caught.value)


def stops_the_startup(faulty: Faulty) -> str:
    server = serve(faulty.make_runtime())
    with pytest.raises(PluginError) as caught:
        server.setup(asyncio.new_event_loop())
    assert server.loop is not None
    server.loop.close()
    return str(caught.value)


def stops_the_socket(faulty: Faulty) -> str:
    with pytest.raises(PluginError) as caught:
        serve(faulty.make_runtime(transport=None), ANY_PORT)
    return str(caught.value)


def is_logged_at_the_end(faulty: Faulty) -> str:
    serve(faulty.make_runtime()).close()
    return faulty.log


def warns_on_the_command_line(faulty: Faulty) -> str:
    ran = CliRunner().invoke(cli.main, ["--help"])
    assert ran.exit_code == 0
    assert "  nameserver " in ran.stdout
    return ran.stderr


def denies(faulty: Faulty) -> str:
    server = serve(faulty.make_runtime())
    for _ in range(2):
        answer = call(server, "com.foo.victim", "greet")
        assert answer["code"] == AccessDenied.code
        assert "division" not in answer["error"].lower()
    return faulty.log


def fails_the_call(faulty: Faulty) -> str:
    server = serve(faulty.make_runtime())
    for _ in range(2):
        answer = call(server, "com.foo.victim", "greet")
        assert answer == {"code": 1, "error": "Unknown error during request"}
    return faulty.log


def fails_the_caller(faulty: Faulty) -> str:
    runtime = faulty.make_runtime()
    serve(runtime)
    context = Context(runtime=runtime)
    with pytest.raises(PycomError) as caught:
        context.connect("local://a", "com.foo.victim").invoke("greet")
    context.close()
    return str(caught.value)


def is_logged_beside_the_answer(faulty: Faulty) -> str:
    server = serve(faulty.make_runtime())
    assert call(server, "com.foo.victim", "greet")["result"] == "Hello"
    return faulty.log


def is_logged_when_the_runtime_closes(faulty: Faulty) -> str:
    faulty.make_runtime().close()
    return faulty.log


def stops_the_registration(faulty: Faulty) -> str:
    with pytest.raises(PluginError) as caught:
        ServiceProcess(faulty.make_runtime(address="local://a"), [Greeter])
    return str(caught.value)


def fails_to_locate(faulty: Faulty) -> str:
    runtime = faulty.make_runtime()
    serve(runtime, "local://ns")
    context = Context("local://ns", runtime=runtime)
    with pytest.raises(PycomError) as caught:
        choose(context, [ServiceRecord("/a", "local://a", ["com.foo.victim"])], "com.foo.victim")
    return str(caught.value)


def refuses_the_peer(faulty: Faulty) -> str:
    with pytest.raises(AccessDenied, match="^Access denied$"):
        faulty.make_runtime().admit(Peer("tcp://10.0.0.1:7"))
    return faulty.log


class Length:
    """A type that is no JSON by itself."""


def stops_a_service_of_such_types(faulty: Faulty) -> str:
    @interface("com.foo.measuring")
    class Measuring:
        @method
        def measure(self, request: Request, length: Length) -> None:
            raise NotImplementedError

    with pytest.raises(ConfigurationError) as caught:
        ServiceServer(["local://a"], [Measuring], faulty.make_runtime())
    return str(caught.value)


#: The result of an exception in each hook.
OUTCOMES = {
    "pycom_transports": stops_the_runtime,
    "pycom_end": is_logged_beside_the_answer,
    "pycom_client_invoke": fails_the_caller,
    "pycom_record": stops_the_registration,
    "pycom_address": fails_to_locate,
    "pycom_close": is_logged_when_the_runtime_closes,
    "pycom_admit": refuses_the_peer,
    "pycom_commands": stops_the_server,
    "pycom_nameserver_backends": stops_the_runtime,
    "pycom_session_stores": stops_the_runtime,
    "pycom_balancers": stops_the_runtime,
    "pycom_types": stops_a_service_of_such_types,
    "pycom_cli": warns_on_the_command_line,
    "pycom_authenticate": denies,
    "pycom_authorize": denies,
    "pycom_prehook": fails_the_call,
    "pycom_invoke": fails_the_call,
    "pycom_posthook": fails_the_call,
    "pycom_client_prehook": fails_the_caller,
    "pycom_client_posthook": fails_the_caller,
    "pycom_configure": stops_the_runtime,
    "pycom_provide": stops_the_server,
    "pycom_startup": stops_the_startup,
    "pycom_shutdown": is_logged_at_the_end,
    "pycom_socket": stops_the_socket,
}


@pytest.mark.parametrize("hook", ["pycom_end", "pycom_address"])
def test_hook_that_exits(
    hook: str,
    faulty: Faulty,
) -> None:
    faulty.install(f"def {hook}(): raise SystemExit(3)\n{hook} = hookimpl({hook})")
    said = OUTCOMES[hook](faulty)
    assert "'bad' of dist-bad 1.0" in said
    assert "SystemExit(3)" in said


@pytest.mark.parametrize("hook", hook_names())
@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(4)", "SystemExit"),
        ("raise type('Odd', (BaseException,), {})", "Odd"),
    ],
)
def test_hook_that_raises(
    body: str,
    error: str,
    hook: str,
    faulty: Faulty,
) -> None:
    wrapper = hook in ("pycom_invoke", "pycom_client_invoke")
    faulty.install(f"@hookimpl(wrapper={wrapper})\ndef {hook}(): {body}{'; yield' * wrapper}")
    said = OUTCOMES[hook](faulty)
    for part in (*BLAME, error, f"failed in {hook}"):
        assert part in said
    server = serve(faulty.make_runtime(disable=("bad",)), "local://b")
    assert call(server, "com.foo.victim", "greet")["result"] == "Hello"
    server.close()


@pytest.mark.parametrize("body", ["yield; 1 / 0", "yield; yield", "return; yield"])
def test_wrapper_that_is_wrong(
    body: str,
    faulty: Faulty,
) -> None:
    faulty.install(f"@hookimpl(wrapper=True)\ndef pycom_invoke(): {body}")
    assert call(serve(faulty.make_runtime()), "com.foo.victim", "greet")["code"] == 1
    for part in ("'bad'", "dist-bad 1.0", "failed in pycom_invoke", "plugins.disable"):
        assert part in faulty.log


def test_failure_of_a_method_is_no_plugins_fault(faulty: Faulty) -> None:
    @interface("com.foo.broken")
    class Broken:
        @method
        def fail(self, request: Request) -> None:
            raise ValueError("mine")

    faulty.distributions.plugin(
        "good", "@hookimpl(wrapper=True)\ndef pycom_invoke(): return (yield)"
    )
    server = ServiceServer(["local://a"], [Broken], faulty.make_runtime())
    assert call(server, "com.foo.broken", "fail")["code"] == 1
    assert "ValueError: mine" in faulty.log
    assert "'good'" not in faulty.log


# Hooks that return what they may not.


@pytest.mark.parametrize("result", ["'anna'", "('anna', [])", "True", "object()", "[]"])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_identity_that_is_none_denies_and_names_the_plugin(
    kind: str,
    result: str,
    faulty: Faulty,
) -> None:
    faulty.install(f"@hookimpl\n{kind} pycom_authenticate(): return {result}")
    answer = call(serve(faulty.make_runtime()), "com.foo.victim", "greet")
    assert answer == {"code": 5, "error": "Authentication failed"}
    for part in ("'bad'", "dist-bad 1.0", "an Identity was expected", "plugins.disable"):
        assert part in faulty.log


@pytest.mark.parametrize("hook", ["authorize", "prehook", "posthook"])
def test_hook_of_a_call_that_returns_something(
    hook: str,
    faulty: Faulty,
) -> None:
    faulty.install(f"@hookimpl\ndef pycom_{hook}(): return True")
    assert call(serve(faulty.make_runtime()), "com.foo.victim", "greet")["code"] == 1
    for part in ("'bad'", "dist-bad 1.0", f"returned bool from pycom_{hook}", "plugins.disable"):
        assert part in faulty.log


def test_hook_that_spoils_the_code_of_a_response(faulty: Faulty) -> None:
    faulty.install("@hookimpl\ndef pycom_posthook(data): data.code = 'x'")
    answer = call(serve(faulty.make_runtime()), "com.foo.victim", "greet")
    assert answer == {"code": 1, "error": "Unknown error during request"}
    assert "com.foo.victim.greet returned what cannot be sent" in faulty.log
    assert "the code of the response is 'x', and no int" in faulty.log


def test_plugin_that_goes_while_its_hook_runs(faulty: Faulty) -> None:
    class Leaving:
        @hookimpl
        def pycom_authenticate(self) -> Identity:
            runtime.plugins.unregister("leaving")
            raise ValueError("gone")

    runtime = faulty.make_runtime({"leaving": Leaving()})
    server = serve(runtime)
    assert call(server, "com.foo.victim", "greet")["code"] == 5
    assert "ValueError('gone')" in faulty.log
    assert call(server, "com.foo.victim", "greet")["result"] == "Hello"


def test_module_named_instead_of_its_class(faulty: Faulty) -> None:
    faulty.install(
        """
        class Plugin:
            @hookimpl
            def pycom_authorize(self): raise ValueError
        """,
    )
    with pytest.raises(PluginError) as caught:
        faulty.make_runtime()
    for part in ("'bad' of dist-bad 1.0 has no hooks", "must name the class: module_bad:Plugin"):
        assert part in str(caught.value)


# Plugins that leave an interface as it must not be.


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("iface.methods['x'] = 3", "methods['x'] = 3; the key must be a name"),
        ("iface.methods['x'] = lambda self, request: 3", "methods['x'] = <function"),
        ("iface.methods[3] = iface.methods['greet']", "methods[3] = <Method greet>; the key must"),
        ("iface.methods = None", "methods = None, which must be a dict"),
        ("iface.methods.clear()", "has lost all of its methods"),
        ("iface.name = 3", "has name = 3, which must be a text"),
    ],
)
def test_plugin_that_spoils_an_interface_is_named(body: str, reason: str, faulty: Faulty) -> None:
    faulty.install(f"@hookimpl\ndef pycom_provide(iface): {body}")
    with pytest.raises(PluginError) as caught:
        serve(faulty.make_runtime())
    for part in (
        "'bad' of dist-bad 1.0 failed in pycom_provide",
        "of Greeter>",
        reason,
        "plugins.disable",
    ):
        assert part in str(caught.value)
    assert "typed_methods" not in str(caught.value)


def test_class_that_spoils_its_own_interface_is_named(make_runtime: MakeRuntime) -> None:
    @interface("com.foo.spoilt")
    class Spoilt:
        def __init__(self) -> None:
            self.__interface__.methods["x"] = 3

    with pytest.raises(ConfigurationError, match=r"com\.foo\.spoilt of .*methods\['x'\] = 3"):
        ServiceServer(["local://a"], [Spoilt], make_runtime())


# Hooks that hang.


@pytest.mark.parametrize(("transport", "left"), [("zmtp", 0), ("zmq", 1)])
def test_hanging_authentication_over_a_socket(faulty: Faulty, transport: str, left: int) -> None:
    faulty.install(
        """
        import asyncio
        @hookimpl
        async def pycom_authenticate(method):
            await asyncio.Event().wait()
        """,
    )
    runtime = faulty.make_runtime(transport=(transport,))
    with running(serve(runtime, ANY_PORT)) as server:
        with Dealer(server.addresses[0]) as dealer:
            answer = dealer.call("com.foo.victim", "greet", extensions={DEADLINE_EXTENSION: 50})
            assert answer["code"] == 7
            # Another that waits for long is in nobody's way.
            dealer.begin("com.foo.victim", "greet", extensions={DEADLINE_EXTENSION: 60_000})
            answer = dealer.call("com.foo.victim", "greet", extensions={DEADLINE_EXTENSION: 50})
            assert answer["code"] == 7
            assert server.in_flight == 1
        until(lambda: server.in_flight == left)  # one of them learns that its client has gone


def test_client_does_not_wait_for_a_hanging_hook(faulty: Faulty) -> None:
    faulty.install(
        """
        import threading
        released = threading.Event()
        @hookimpl
        def pycom_prehook():
            assert released.wait(30)
        """,
    )
    with running(serve(faulty.make_runtime(transport=None), ANY_PORT)) as server:
        context = Context(runtime=faulty.make_runtime(transport=None, disable=("bad",)), timeout=50)
        with pytest.raises(CallTimeout):
            context.connect(server.addresses[0], "com.foo.victim").invoke("greet")
        bad: Any = __import__("module_bad")
        bad.released.set()
        component = context.connect(server.addresses[0], "com.foo.victim")
        assert component.invoke("greet", timeout=30_000) == "Hello"
        context.close()
