"""Plugins that fail: what the user is told, and what goes on all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from helpers import Dealer
from in_process import Distributions, MakeRuntime, call, running

from pycom_core import (
    AccessDenied,
    CallTimeout,
    Context,
    Identity,
    PluginError,
    PycomError,
    Request,
    Runtime,
    ServiceServer,
    cli,
    hookimpl,
    interface,
    method,
)
from pycom_core.constants import DEADLINE_EXTENSION
from pycom_core.plugins import hook_names

#: What is said of a plugin that does not do what it must.
BLAME = ("'bad'", "dist-bad 1.0", "ZeroDivisionError", "plugins.disable")
ANY_PORT = "tcp://127.0.0.1:*"


@interface("com.foo.greeter")
class Greeter:
    @method
    def greet(self, request: Request) -> str:
        return "Hello"


def serve(runtime: Runtime, address: str = "local://a") -> ServiceServer:
    return ServiceServer([address], [Greeter], runtime)


def stops_the_runtime(make_runtime: MakeRuntime, read_log: Callable[[], str]) -> str:
    with pytest.raises(PluginError) as caught:
        make_runtime()
    return str(caught.value)


def stops_the_server(make_runtime: MakeRuntime, read_log: Callable[[], str]) -> str:
    runtime = make_runtime()
    with pytest.raises(PluginError) as caught:
        serve(runtime)
    assert runtime.servers == []
    return str(caught.value)


def stops_the_startup(make_runtime: MakeRuntime, read_log: Callable[[], str]) -> str:
    server = serve(make_runtime())
    with pytest.raises(PluginError) as caught:
        server.setup(asyncio.new_event_loop())
    assert server.loop is not None
    server.loop.close()
    return str(caught.value)


def stops_the_socket(make_runtime: MakeRuntime, read_log: Callable[[], str]) -> str:
    with pytest.raises(PluginError) as caught:
        serve(make_runtime(transport=None), ANY_PORT)
    return str(caught.value)


def is_logged_at_the_end(make_runtime: MakeRuntime, read_log: Callable[[], str]) -> str:
    serve(make_runtime()).close()
    return read_log()


def warns_on_the_command_line(make_runtime: MakeRuntime, read_log: Callable[[], str]) -> str:
    ran = CliRunner().invoke(cli.main, ["--help"])
    assert ran.exit_code == 0
    assert "  nameserver " in ran.stdout
    return ran.stderr


def denies(make_runtime: MakeRuntime, read_log: Callable[[], str]) -> str:
    server = serve(make_runtime())
    for _ in range(2):
        answer = call(server, "com.foo.greeter", "greet")
        assert answer["code"] == AccessDenied.code
        assert "division" not in answer["error"].lower()
    return read_log()


def fails_the_call(make_runtime: MakeRuntime, read_log: Callable[[], str]) -> str:
    server = serve(make_runtime())
    for _ in range(2):
        answer = call(server, "com.foo.greeter", "greet")
        assert answer == {"code": 1, "error": "Unknown error during request"}
    return read_log()


def fails_the_caller(make_runtime: MakeRuntime, read_log: Callable[[], str]) -> str:
    runtime = make_runtime()
    serve(runtime)
    context = Context(runtime=runtime)
    with pytest.raises(PycomError) as caught:
        context.connect("local://a", "com.foo.greeter").invoke("greet")
    context.close()
    return str(caught.value)


#: What comes of an exception in each hook.
OUTCOMES = {
    "pycom_commands": stops_the_server,
    "pycom_nameserver_backends": stops_the_runtime,
    "pycom_session_stores": stops_the_runtime,
    "pycom_balancers": stops_the_runtime,
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


@pytest.mark.parametrize("hook", hook_names())
def test_hook_that_raises(
    hook: str,
    distributions: Distributions,
    make_runtime: MakeRuntime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrapper = hook == "pycom_invoke"
    distributions.plugin(
        "bad", f"@hookimpl(wrapper={wrapper})\ndef {hook}(): 1 / 0{'; yield' * wrapper}"
    )
    said = OUTCOMES[hook](make_runtime, lambda: caplog.text)
    for part in (*BLAME, f"failed in {hook}"):
        assert part in said
    server = serve(make_runtime(disable=("bad",)), "local://b")
    assert call(server, "com.foo.greeter", "greet")["result"] == "Hello"
    server.close()


@pytest.mark.parametrize("body", ["yield; 1 / 0", "yield; yield", "return; yield"])
def test_wrapper_that_is_wrong(
    body: str,
    distributions: Distributions,
    make_runtime: MakeRuntime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    distributions.plugin("bad", f"@hookimpl(wrapper=True)\ndef pycom_invoke(): {body}")
    assert call(serve(make_runtime()), "com.foo.greeter", "greet")["code"] == 1
    for part in ("'bad'", "dist-bad 1.0", "failed in pycom_invoke", "plugins.disable"):
        assert part in caplog.text


def test_failure_of_a_method_is_no_plugins_fault(
    distributions: Distributions, make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    @interface("com.foo.broken")
    class Broken:
        @method
        def fail(self, request: Request) -> None:
            raise ValueError("mine")

    distributions.plugin("good", "@hookimpl(wrapper=True)\ndef pycom_invoke(): return (yield)")
    server = ServiceServer(["local://a"], [Broken], make_runtime())
    assert call(server, "com.foo.broken", "fail")["code"] == 1
    assert "ValueError: mine" in caplog.text
    assert "'good'" not in caplog.text


# Hooks that return what they may not.


@pytest.mark.parametrize("result", ["'anna'", "('anna', [])", "True", "object()", "[]"])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_identity_that_is_none_denies_and_names_the_plugin(
    kind: str,
    result: str,
    distributions: Distributions,
    make_runtime: MakeRuntime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    distributions.plugin("bad", f"@hookimpl\n{kind} pycom_authenticate(): return {result}")
    answer = call(serve(make_runtime()), "com.foo.greeter", "greet")
    assert answer == {"code": 5, "error": "Authentication failed"}
    for part in ("'bad'", "dist-bad 1.0", "an Identity was expected", "plugins.disable"):
        assert part in caplog.text


@pytest.mark.parametrize("hook", ["authorize", "prehook", "posthook"])
def test_hook_of_a_call_that_returns_something(
    hook: str,
    distributions: Distributions,
    make_runtime: MakeRuntime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    distributions.plugin("bad", f"@hookimpl\ndef pycom_{hook}(): return True")
    assert call(serve(make_runtime()), "com.foo.greeter", "greet")["code"] in (1, 5)
    for part in ("'bad'", "dist-bad 1.0", f"returned bool from pycom_{hook}", "plugins.disable"):
        assert part in caplog.text


def test_plugin_that_goes_while_its_hook_runs(
    make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    class Leaving:
        @hookimpl
        def pycom_authenticate(self) -> Identity:
            runtime.plugins.unregister("leaving")
            raise ValueError("gone")

    runtime = make_runtime({"leaving": Leaving()})
    server = serve(runtime)
    assert call(server, "com.foo.greeter", "greet")["code"] == 5
    assert "ValueError('gone')" in caplog.text
    assert call(server, "com.foo.greeter", "greet")["result"] == "Hello"


def test_module_named_instead_of_its_class(
    distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    distributions.plugin(
        "bad",
        """
        class Plugin:
            @hookimpl
            def pycom_authorize(self): raise ValueError
        """,
    )
    with pytest.raises(PluginError) as caught:
        make_runtime()
    for part in ("'bad' of dist-bad 1.0 has no hooks", "must name the class: module_bad:Plugin"):
        assert part in str(caught.value)


# Hooks that hang.


def test_hanging_authentication_over_a_socket(
    distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    distributions.plugin(
        "bad",
        """
        import asyncio
        @hookimpl
        async def pycom_authenticate(method):
            await asyncio.Event().wait()
        """,
    )
    with running(serve(make_runtime(transport=None), ANY_PORT)) as server:
        with Dealer(server.addresses[0]) as dealer:
            answer = dealer.call("com.foo.greeter", "greet", extensions={DEADLINE_EXTENSION: 50})
            assert answer["code"] == 7
            # Another that waits for long is in nobody's way.
            dealer.begin("com.foo.greeter", "greet", extensions={DEADLINE_EXTENSION: 60_000})
            answer = dealer.call("com.foo.greeter", "greet", extensions={DEADLINE_EXTENSION: 50})
            assert answer["code"] == 7
        assert server.in_flight == 1


def test_client_does_not_wait_for_a_hanging_hook(
    distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    distributions.plugin(
        "bad",
        """
        import threading
        released = threading.Event()
        @hookimpl
        def pycom_prehook():
            assert released.wait(30)
        """,
    )
    with running(serve(make_runtime(transport=None), ANY_PORT)) as server:
        context = Context(runtime=make_runtime(transport=None, disable=("bad",)), timeout=50)
        with pytest.raises(CallTimeout):
            context.connect(server.addresses[0], "com.foo.greeter").invoke("greet")
        bad: Any = __import__("module_bad")
        bad.released.set()
        component = context.connect(server.addresses[0], "com.foo.greeter")
        assert component.invoke("greet", timeout=30_000) == "Hello"
        context.close()
