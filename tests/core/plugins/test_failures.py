"""Failures of plugins: the messages for the user, and the work that goes on."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from helpers import Dealer
from in_process import Distributions, MakeRuntime, call, running

from pycom_core import (
    AccessDenied,
    AsyncContext,
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
from pycom_core.plugins._manager import hook_names
from pycom_core.process._launcher import ServiceProcess
from pycom_plugins.nameserver.service import NameServer

#: The beginning of the message on a plugin that breaks the rules.
BLAME = ("'bad'", "dist-bad 1.0", "plugins.disable")
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


def is_logged_beside_the_answer(make_runtime: MakeRuntime, read_log: Callable[[], str]) -> str:
    server = serve(make_runtime())
    assert call(server, "com.foo.greeter", "greet")["result"] == "Hello"
    return read_log()


def is_logged_when_the_runtime_closes(
    make_runtime: MakeRuntime, read_log: Callable[[], str]
) -> str:
    make_runtime().close()
    return read_log()


def stops_the_registration(make_runtime: MakeRuntime, read_log: Callable[[], str]) -> str:
    with pytest.raises(PluginError) as caught:
        ServiceProcess(make_runtime(address="local://a"), [Greeter])
    return str(caught.value)


def fails_to_locate(make_runtime: MakeRuntime, read_log: Callable[[], str]) -> str:
    runtime = make_runtime()
    serve(runtime, "local://ns")
    context = Context("local://ns", runtime=runtime)
    with pytest.raises(PycomError) as caught:
        choose(context, [ServiceRecord("/a", "local://a", ["com.foo.greeter"])], "com.foo.greeter")
    return str(caught.value)


def refuses_the_peer(make_runtime: MakeRuntime, read_log: Callable[[], str]) -> str:
    with pytest.raises(AccessDenied, match="^Access denied$"):
        make_runtime().admit(Peer("tcp://10.0.0.1:7"))
    return read_log()


class Length:
    """A type that is no JSON by itself."""


def stops_a_service_of_such_types(make_runtime: MakeRuntime, read_log: Callable[[], str]) -> str:
    @interface("com.foo.measuring")
    class Measuring:
        @method
        def measure(self, request: Request, length: Length) -> None:
            raise NotImplementedError

    with pytest.raises(ConfigurationError) as caught:
        ServiceServer(["local://a"], [Measuring], make_runtime())
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
    distributions: Distributions,
    make_runtime: MakeRuntime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    distributions.plugin("bad", f"def {hook}(): raise SystemExit(3)\n{hook} = hookimpl({hook})")
    said = OUTCOMES[hook](make_runtime, lambda: caplog.text)
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
    distributions: Distributions,
    make_runtime: MakeRuntime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrapper = hook in ("pycom_invoke", "pycom_client_invoke")
    distributions.plugin(
        "bad", f"@hookimpl(wrapper={wrapper})\ndef {hook}(): {body}{'; yield' * wrapper}"
    )
    said = OUTCOMES[hook](make_runtime, lambda: caplog.text)
    for part in (*BLAME, error, f"failed in {hook}"):
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
    assert call(serve(make_runtime()), "com.foo.greeter", "greet")["code"] == 1
    for part in ("'bad'", "dist-bad 1.0", f"returned bool from pycom_{hook}", "plugins.disable"):
        assert part in caplog.text


def test_hook_that_spoils_the_code_of_a_response(
    distributions: Distributions, make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    distributions.plugin("bad", "@hookimpl\ndef pycom_posthook(data): data.code = 'x'")
    answer = call(serve(make_runtime()), "com.foo.greeter", "greet")
    assert answer == {"code": 1, "error": "Unknown error during request"}
    assert "com.foo.greeter.greet returned what cannot be sent" in caplog.text
    assert "the code of the response is 'x', and no int" in caplog.text


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
def test_plugin_that_spoils_an_interface_is_named(
    body: str, reason: str, distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    distributions.plugin("bad", f"@hookimpl\ndef pycom_provide(iface): {body}")
    with pytest.raises(PluginError) as caught:
        serve(make_runtime())
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


# What plugins contribute for a setting.

#: Sources of a plugin that contributes one of these as "bad:", in three parts.
FAMILIES = {
    "nameserver_backend": """
        from pycom_core import Guarantee, NameserverBackend
        class Fit(NameserverBackend):
            def __init__(self, url=""): pass
            async def register(self, record, ttl): pass
            async def unregister(self, service, address): pass
            async def find(self, interface, service=None): return []
            async def list(self): return []
        class Abstract(NameserverBackend):
            def __init__(self, url): pass
        class Unfit(Fit):
            def find(self, interface, service=None): return []
        @hookimpl
        def pycom_nameserver_backends(): return {"bad": make}
        """,
    "session_store": """
        from pycom_core import Guarantee, SessionStore
        class Fit(SessionStore):
            def __init__(self, url=""): pass
            async def load(self, session_id): return {}
            async def save(self, session_id, data, ttl): pass
            async def drop(self, session_id): pass
        class Abstract(SessionStore):
            def __init__(self, url): pass
        class Unfit(Fit):
            def load(self, session_id): return {}
        @hookimpl
        def pycom_session_stores(): return {"bad": make}
        """,
    "balancer": """
        from pycom_core import Balancer, Guarantee
        class Fit(Balancer):
            def __init__(self, url=""): pass
            def choose(self, records, key=None): return records[0]
        class Abstract(Balancer):
            def __init__(self, url): pass
        class Unfit(Fit):
            async def choose(self, records, key=None): return records[0]
        @hookimpl
        def pycom_balancers(): return {"bad": make}
        """,
}
family = pytest.mark.parametrize("key", FAMILIES)


def contribute(distributions: Distributions, key: str, more: str) -> None:
    """Install a plugin that contributes for a setting what `more` defines as `make`."""
    distributions.plugin("bad", textwrap.dedent(FAMILIES[key]) + textwrap.dedent(more))


def choosing(make_runtime: MakeRuntime, key: str) -> Runtime:
    return make_runtime(**{key: "bad:" if key != "balancer" else "bad"})


@interface("com.foo.counting", stateful=True)
class Counting:
    introspection_data: dict[str, Any] = {}  # noqa: RUF012

    @method
    def count(self, request: Request) -> int:
        request.session["n"] = request.session.get("n", 0) + 1
        count: int = request.session["n"]
        return count


def start(runtime: Runtime) -> ServiceServer:
    """Check and make a server as a process does before it answers."""
    runtime.check_choices()
    return ServiceServer(["local://ns"], [NameServer(), Counting()], runtime)


#: Factories that are wrong, and what is said of them.
UNFIT = {
    "gives None": ("make = lambda url: None", "not None"),
    "gives a class": ("make = lambda url: Fit", "not <class 'module_bad.Fit'>"),
    "is async": ("async def make(url): return Fit()", "not async"),
    "takes no URL": ("make = lambda: Fit()", "takes one argument, the URL"),
    "raises": ("def make(url): raise KeyError('lost')", "KeyError: 'lost'"),
    "abstract class": ("make = Abstract", "abstract class Abstract"),
    "a method of another kind": ("make = Unfit", "and has another"),
}


@family
@pytest.mark.parametrize(("more", "reason"), UNFIT.values(), ids=UNFIT)
def test_contribution_that_is_unfit_stops_the_start(
    key: str, more: str, reason: str, distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    contribute(distributions, key, more)
    with pytest.raises(PluginError) as caught:
        start(choosing(make_runtime, key))
    said = str(caught.value)
    for part in ("'bad' of dist-bad 1.0", reason, "Fix or uninstall it, or "):
        assert part in said
    assert "nameserver_service" not in said


@pytest.mark.parametrize("key", ["nameserver_backend", "session_store"])
def test_guarantees_that_are_none_stop_the_start(
    key: str, distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    contribute(distributions, key, "class Vague(Fit): guarantees = frozenset()\nmake = Vague")
    with pytest.raises(PluginError) as caught:
        start(choosing(make_runtime, key))
    for part in ("dist-bad 1.0", f"the {key} 'bad'", "frozenset(); write Guarantee.NONE"):
        assert part in str(caught.value)


@family
def test_object_that_cannot_even_be_looked_at_stops_the_start(
    key: str, distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    source = "class make(Fit):\n    @property\n    def guarantees(self): raise OSError('disk full')"
    contribute(distributions, key, source)
    with pytest.raises(PluginError) as caught:
        start(choosing(make_runtime, key))
    named(str(caught.value), f"the {key} 'bad', which cannot be made from its URL: OSError: disk")


@family
def test_contribution_that_refuses_its_url_says_so_itself(
    key: str, distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    source = "raise ConfigurationError('no such file')"
    contribute(
        distributions,
        key,
        f"from pycom_core import ConfigurationError\ndef make(url): {source}",
    )
    with pytest.raises(ConfigurationError) as caught:
        start(choosing(make_runtime, key))
    assert str(caught.value) == "no such file"


def named(text: str, *parts: str) -> None:
    """The plugin is named, and nobody else."""
    for part in ("'bad' of dist-bad 1.0", "Fix or uninstall it, or choose another", *parts):
        assert part in text
    assert "nameserver_service" not in text


RECORD = {"address": "tcp://127.0.0.1:1", "interfaces": ["com.foo"], "service": "/one"}
WHERE = {"interface": "com.foo"}
#: Methods of a backend, the calls of the nameserver that lead to them, and their arguments.
BACKEND = [
    ("register", "register", RECORD, "raise OSError('disk full')"),
    ("unregister", "unregister", {**RECORD, "interfaces": None}, "raise OSError('disk full')"),
    ("find", "locate", WHERE, "raise OSError('disk full')"),
    ("find", "find", WHERE, "raise OSError('disk full')"),
    ("find", "locate", WHERE, "return None"),
    ("find", "locate", WHERE, "return ['/one']"),
    ("list", "list_services", {}, "raise OSError('disk full')"),
    ("list", "list_services", {}, "return None"),
    ("find", "locate", WHERE, "raise SystemExit(4)"),
    ("find", "locate", WHERE, "import asyncio; raise asyncio.CancelledError"),
    ("list", "list_services", {}, "raise GeneratorExit"),
]


@pytest.mark.parametrize(("name", "called", "args", "body"), BACKEND)
def test_backend_that_fails_is_named(
    name: str,
    called: str,
    args: dict[str, Any],
    body: str,
    distributions: Distributions,
    make_runtime: MakeRuntime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    contribute(
        distributions,
        "nameserver_backend",
        f"class make(Fit):\n    async def {name}(self, *args): {body}",
    )
    server = start(choosing(make_runtime, "nameserver_backend"))
    answer = call(server, "org.pycom.nameserver", called, args)
    assert answer == {"code": 1, "error": "Unknown error during request"}
    reason = f"returned {body[7:]} from {name}" if "return" in body else f"failed in {name}: "
    named(caplog.text, "the nameserver_backend 'bad', which " + reason)


def test_backend_that_is_too_slow_is_cancelled_and_not_blamed(
    distributions: Distributions, make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    contribute(
        distributions,
        "nameserver_backend",
        """
        import asyncio
        class make(Fit):
            async def find(self, interface, service=None): await asyncio.sleep(60)
        """,
    )
    server = start(choosing(make_runtime, "nameserver_backend"))
    soon = {"extensions": {DEADLINE_EXTENSION: 50}}
    assert call(server, "org.pycom.nameserver", "locate", WHERE, **soon)["code"] == 7
    assert caplog.text == ""


def test_backend_that_refuses_is_not_blamed(
    distributions: Distributions, make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    contribute(
        distributions,
        "nameserver_backend",
        """
        from pycom_core import AccessDenied
        class make(Fit):
            async def register(self, record, ttl): raise AccessDenied("taken")
        """,
    )
    server = start(choosing(make_runtime, "nameserver_backend"))
    answer = call(server, "org.pycom.nameserver", "register", RECORD)
    assert answer == {"code": 5, "error": "taken"}
    assert caplog.text == ""


@pytest.mark.parametrize("error", ["OSError('disk full')", "SystemExit(4)"])
def test_backend_that_cannot_be_closed_is_named(
    error: str,
    distributions: Distributions,
    make_runtime: MakeRuntime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    contribute(
        distributions,
        "nameserver_backend",
        f"class make(Fit):\n    async def close(self): raise {error}",
    )
    start(choosing(make_runtime, "nameserver_backend")).close()
    named(caplog.text, f"failed in close: {error}")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("async def load(self, session_id): raise OSError('disk full')", "failed in load: OSErr"),
        ("async def load(self, session_id): return [1]", "returned [1] from load"),
        ("async def load(self, session_id): raise SystemExit", "failed in load: SystemExit()"),
        (
            "async def load(self, session_id):\n        import asyncio\n"
            "        raise asyncio.CancelledError",
            "failed in load: CancelledError()",
        ),
        (
            "immediate = True\n    async def load(self, session_id):\n        import asyncio\n"
            "        raise asyncio.CancelledError",
            "failed in load: CancelledError()",
        ),
        ("async def save(self, session_id, data, ttl): raise OSError", "failed in save: OSError()"),
    ],
)
def test_store_that_fails_is_named(
    body: str,
    reason: str,
    distributions: Distributions,
    make_runtime: MakeRuntime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    contribute(distributions, "session_store", f"class make(Fit):\n    {body}")
    server = start(choosing(make_runtime, "session_store"))
    answer = call(server, "com.foo.counting", "count", session_id="some")
    assert answer["code"] == 1
    named(caplog.text, "the session_store 'bad', which " + reason)


@pytest.mark.parametrize("immediate", [False, True])
@pytest.mark.parametrize("error", ["OSError('disk full')", "SystemExit(4)", "CancelledError()"])
def test_store_that_cannot_be_closed_is_named(
    error: str,
    immediate: bool,
    distributions: Distributions,
    make_runtime: MakeRuntime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    contribute(
        distributions,
        "session_store",
        f"""
        from asyncio import CancelledError
        class make(Fit):
            immediate = {immediate}
            async def close(self): raise {error}
        """,
    )
    start(choosing(make_runtime, "session_store")).close()
    named(caplog.text, f"the session_store 'bad', which failed in close: {error}")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return None", "returned None from choose"),
        ("return '/one'", "returned '/one' from choose"),
        (
            "import attrs; return attrs.evolve(records[0], address='tcp://127.0.0.1:2')",
            "returned ServiceRecord(service='/one', address='tcp://127.0.0.1:2'",
        ),
        ("1 / 0", "failed in choose: ZeroDivisionError"),
        ("raise SystemExit(4)", "failed in choose: SystemExit(4)"),
    ],
)
def test_balancer_that_chooses_nothing_is_named(
    body: str,
    reason: str,
    distributions: Distributions,
    make_runtime: MakeRuntime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    contribute(
        distributions,
        "balancer",
        f"class make(Fit):\n    def choose(self, records, key=None): {body}",
    )
    runtime = choosing(make_runtime, "balancer")
    server = start(runtime)
    assert call(server, "org.pycom.nameserver", "register", RECORD)["code"] == 0
    assert call(server, "org.pycom.nameserver", "locate", WHERE)["code"] == 1
    named(caplog.text, "the balancer 'bad', which " + reason)
    with pytest.raises(PycomError) as caught:
        Context("local", runtime=runtime).locate("com.foo")
    named(str(caught.value), reason)


@pytest.mark.parametrize(
    ("body", "reason"), [("1 / 0", "ZeroDivisionError"), ("raise SystemExit(4)", "SystemExit(4)")]
)
def test_balancer_that_fails_to_observe_fails_no_call(
    body: str,
    reason: str,
    distributions: Distributions,
    make_runtime: MakeRuntime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    contribute(
        distributions,
        "balancer",
        f"class make(Fit):\n    def observe(self, record, latency, error): {body}",
    )
    runtime = choosing(make_runtime, "balancer")
    server = start(runtime)
    record = ServiceRecord("/counting", "local://ns", ("com.foo.counting",))
    asyncio.run(server.interfaces["org.pycom.nameserver"].instance._backend.register(record, 60.0))
    with Context("local", runtime=runtime).locate("com.foo.counting") as component:
        assert component.invoke("count") == 1
    named(caplog.text, f"the balancer 'bad', which failed in observe: {reason}")

    async def run() -> None:
        async with AsyncContext("local", runtime=runtime).locate("com.foo.counting") as component:
            assert await component.invoke("count") == 1

    asyncio.run(run())


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
