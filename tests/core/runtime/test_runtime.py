"""A runtime: the settings choose among contributions; and the default runtime of a process."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import helpers
import pytest
from in_process import MakeRuntime, call, payload

from pycom_core import (
    Balancer,
    BaseCommand,
    ConfigurationError,
    Context,
    Guarantee,
    LocalTransport,
    MethodNotFound,
    NameserverBackend,
    Request,
    Response,
    Runtime,
    ServiceServer,
    SessionStore,
    hookimpl,
    interface,
    method,
)
from pycom_core.plugins._discovery import installed_names
from pycom_core.runtime import _default as runtime
from pycom_core.settings import Plugins, Settings
from pycom_core.transport._local import LocalChannel
from pycom_plugins.introspection.service import Service


class Backend(NameserverBackend):
    guarantees = Guarantee.PERSISTENT | Guarantee.SHARED
    register = unregister = find = list = None  # type: ignore[assignment]


class Store(SessionStore):
    guarantees = Guarantee.NONE
    load = save = drop = None  # type: ignore[assignment]


MINE = SimpleNamespace(
    pycom_nameserver_backends=hookimpl(lambda: {"mine": lambda url: Backend()}),
    pycom_session_stores=hookimpl(lambda: {"mine": lambda url: Store()}),
)

OPENS = {
    "nameserver_backend": Runtime.nameserver_backend,
    "session_store": Runtime.session_store,
    "balancer": Runtime.balancer,
}


def mine(make_runtime: MakeRuntime, **settings: Any) -> Runtime:
    """A runtime with the plugin `MINE`, chosen in all settings."""
    return make_runtime(
        {"mine": MINE}, nameserver_backend="mine:", session_store="mine:", **settings
    )


@pytest.mark.parametrize("key", OPENS)
@pytest.mark.parametrize("url", ["nonsense:", "nonsense://a/b", "nonsense", ""])
def test_unknown_scheme_names_the_known(key: str, url: str, make_runtime: MakeRuntime) -> None:
    made = make_runtime({"mine": MINE}, **{key: url})
    with pytest.raises(ConfigurationError) as caught:
        OPENS[key](made)
    known = "random, round-robin" if key == "balancer" else "memory, mine, sqlite"
    for part in (key, repr(url), "no active plugin contributes", known):
        assert part in str(caught.value)


@pytest.mark.parametrize("key", OPENS)
def test_without_any_plugin_there_is_none(key: str, make_runtime: MakeRuntime) -> None:
    made = make_runtime(disable=tuple(installed_names()))
    with pytest.raises(ConfigurationError, match="there are none"):
        OPENS[key](made)


def test_backends_are_made_anew_and_the_balancer_once(make_runtime: MakeRuntime) -> None:
    made = mine(make_runtime)
    assert made.nameserver_backend() is not made.nameserver_backend()
    assert made.session_store() is not made.session_store()
    assert made.balancer() is made.balancer()
    assert isinstance(made.balancer(), Balancer)


@pytest.mark.parametrize("asked", [(), ("persistent",), ("shared", "persistent")])
def test_guarantees_that_are_given(asked: tuple[str, ...], make_runtime: MakeRuntime) -> None:
    made = mine(make_runtime, guarantees={"nameserver_backend": asked})
    assert isinstance(made.nameserver_backend(), Backend)


@pytest.mark.parametrize(
    ("key", "asked", "missing"),
    [
        ("nameserver_backend", ("watchable",), ["WATCHABLE"]),
        ("nameserver_backend", ("shared", "linearizable"), ["LINEARIZABLE"]),
        ("session_store", ("persistent", "shared"), ["PERSISTENT", "SHARED"]),
    ],
)
def test_guarantees_that_are_not_given(
    key: str, asked: tuple[str, ...], missing: list[str], make_runtime: MakeRuntime
) -> None:
    made = mine(make_runtime, guarantees={key: asked})
    with pytest.raises(ConfigurationError) as caught:
        OPENS[key](made)
    text = str(caught.value)
    for part in (f"{key} 'mine:' does not guarantee what guarantees.{key} asks for", *missing):
        assert part in text
    assert text.count("SHARED") == missing.count("SHARED")


def test_store_that_does_not_do_stops_the_start_of_a_stateful_service(
    make_runtime: MakeRuntime,
) -> None:
    @interface("com.foo.kept", stateful=True)
    class Kept:
        pass

    made = mine(make_runtime, guarantees={"session_store": ("shared",)})
    with pytest.raises(ConfigurationError, match="session_store"):
        ServiceServer(["local://a"], [Kept], made)
    assert made.servers == []


# What is made with a runtime.


@interface("com.foo.plain")
class Plain(Service):
    @method
    def echo(self, request: Request) -> Any:
        return request.args


def test_server_of_an_interface_and_the_way_to_it(make_runtime: MakeRuntime) -> None:
    made = make_runtime()
    server = ServiceServer(["local://a"], [Plain], made)
    assert made.servers == [server]
    assert made.server_of("com.foo.plain") is server
    assert made.server_of("com.foo.other") is None
    assert type(made.connect("local://a")) is LocalChannel
    assert type(make_runtime().connect("local://a")) is not LocalChannel
    made.close()
    assert made.servers == []
    assert made.server_of("com.foo.plain") is None


def test_plugins_are_told_of_the_end_after_the_servers_and_before_the_transport(
    make_runtime: MakeRuntime,
) -> None:
    seen: list[str] = []

    class Noting(LocalTransport):
        def close(self) -> None:
            seen.append("transport")

    mine = SimpleNamespace(
        pycom_shutdown=hookimpl(lambda server: seen.append("server")),
        pycom_close=hookimpl(lambda runtime: seen.append("plugins")),
    )
    made = make_runtime({"mine": mine}, transport=Noting())
    ServiceServer(["local://a"], [Plain], made)
    made.close()
    assert seen == ["server", "plugins", "transport"]


def test_forked_child_has_its_parents_servers_only_in_memory(
    make_runtime: MakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_runtime()
    ServiceServer(["local://a"], [Plain], made)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert type(made.connect("local://a")) is not LocalChannel


def test_loop_is_made_once_and_again_when_it_is_closed(make_runtime: MakeRuntime) -> None:
    made = make_runtime()
    loop = made.ioloop()
    assert made.ioloop() is loop
    loop.close()
    again = made.ioloop()
    assert again is not loop
    again.close()

    async def running() -> bool:
        return make_runtime().ioloop() is asyncio.get_running_loop()

    assert asyncio.run(running())


# Without features.


@pytest.mark.parametrize("setting", ["network", "key"])
def test_network_of_keys_without_a_plugin_that_encrypts_is_no_start(
    setting: str, make_runtime: MakeRuntime
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{setting} is set, but no plugin encrypts"):
        make_runtime(**{setting: "file"})


def test_kernel_knows_no_feature(make_runtime: MakeRuntime) -> None:
    server = ServiceServer(["local://a"], [Plain], make_runtime(disable=tuple(installed_names())))
    for command in (b"CALL", b"FINISH", b"anything"):
        reply = asyncio.run(server.answer([b"client", b"", command, b"{}"]))
        body = b'{"code":4,"error":"Unknown command: %s"}' % command
        assert reply == [b"client", b"", b"OK", body]


def test_without_call_there_is_no_call_and_others_work(make_runtime: MakeRuntime) -> None:
    class Ping(BaseCommand):
        def request_from_dict(self, data: dict[str, Any]) -> Any:
            return data

        def real_process_request(self, request: Any, *other_parts: Any) -> Response:
            return Response(None)

    server = ServiceServer(["local://a"], [Plain], make_runtime(disable=("call",)))
    server.commands[b"PING"] = Ping(server)
    frames = payload("com.foo.plain", "echo")
    called = asyncio.run(server.answer([b"client", b"", *frames]))
    assert b"Unknown command: CALL" in called[-1]
    pinged = asyncio.run(server.answer([b"client", b"", b"PING", b"{}"]))
    assert pinged[2:] == [b"OK", b'{"code":0}']


def test_without_introspection_the_rest_works(make_runtime: MakeRuntime) -> None:
    server = ServiceServer(["local://a"], [Plain], make_runtime(disable=("introspection",)))
    assert call(server, "com.foo.plain", "introspect")["code"] == MethodNotFound.code
    assert call(server, "com.foo.plain", "echo", {"a": 1})["result"] == {"a": 1}


def in_a_process(code: str, **environ: str) -> list[str]:
    """Run code in a process of its own, and return the lines that it prints."""
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


def test_kernel_imports_no_plugin() -> None:
    loaded = in_a_process(
        """
        import sys
        import pycom_core
        from pycom_core.plugins._discovery import installed_names
        from pycom_core.settings import Plugins
        for name in pycom_core.__all__:
            getattr(pycom_core, name)
        runtime = pycom_core.Runtime(
            pycom_core.Settings(plugins=Plugins(disable=installed_names())),
            transport=pycom_core.LocalTransport(),
        )
        server = pycom_core.ServiceServer(["local://a"], runtime=runtime)
        server.setup()
        server.close()
        runtime.ioloop().close()
        runtime.close()
        print(*[name for name in sys.modules if name.startswith(("pycom_plugins", "pycom."))])
        """
    )
    assert loaded == []


def test_import_loads_no_plugin_and_makes_no_runtime() -> None:
    printed = in_a_process(
        """
        import importlib.metadata
        def listing(**_):
            raise AssertionError("plugins were looked for")
        importlib.metadata.entry_points = listing
        import pycom, zerojson, pycom.apps.demo, pycom_core.runtime._default
        print(pycom_core.runtime._default._default._runtime)
        """
    )
    assert printed == ["None"]


# The runtime of the process.


@pytest.mark.usefixtures("default_runtime")
def test_default_is_made_once() -> None:
    assert runtime.default_runtime() is runtime.default_runtime()
    assert Context().runtime is runtime.default_runtime()


@pytest.mark.usefixtures("default_runtime")
def test_configure_adds_up_and_touches_no_context_that_is_there() -> None:
    runtime.configure(service="/a")
    before = Context()
    assert before.runtime.settings.service == "/a"
    runtime.configure(threads=2)
    assert before.runtime.settings.threads == 0
    after = runtime.default_runtime()
    assert (after.settings.service, after.settings.threads) == ("/a", 2)
    runtime.configure(threads=2)
    assert runtime.default_runtime() is after, "nothing changed"


@pytest.mark.usefixtures("default_runtime")
def test_configure_with_a_mistake_changes_nothing() -> None:
    runtime.configure(service="/a")
    before = runtime.default_runtime()
    with pytest.raises(ConfigurationError):
        runtime.configure(threads="many")
    runtime.configure(service="/a")
    assert runtime.default_runtime() is before


@pytest.mark.usefixtures("default_runtime")
def test_tasks_of_before_run_on_the_loop_of_after() -> None:
    ran: list[str] = []
    loop = runtime.ioloop()
    task = runtime.create_task(lambda: (ran.append("task"), task.stop(), loop.stop()), 1)
    task.start()
    runtime.configure(service="/b")
    assert runtime.ioloop() is loop
    runtime.ioloop().run_forever()
    task.stop()
    assert ran == ["task"]


@pytest.mark.usefixtures("default_runtime")
def test_program_settles_its_own_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    made = runtime.configure_program(None, {"service": "/own", "threads": 1}, threads=None)
    assert (made.settings.service, made.settings.threads) == ("/own", 1)
    monkeypatch.setenv("PYCOM_SERVICE", "/environ")
    again = runtime.configure_program(None, {"service": "/own"}, threads=3)
    assert (again.settings.service, again.settings.threads) == ("/environ", 3)


def test_settings_that_are_given_are_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYCOM_SERVICE", "/environ")
    assert Runtime(Settings(plugins=Plugins())).settings.service is None
    assert Runtime().settings.service == "/environ"


# Dropped without `close`.

DROPS = """
import asyncio, gc, os, sys, time
from pycom_core import AsyncContext, Context, Runtime, ServiceNotAvailable, Settings, interface

NOBODY = "tcp://127.0.0.1:9"


def sync_client(runtime):
    context = Context(NOBODY, runtime=runtime)
    channel = runtime.connect(NOBODY)
    context.pool.give_back(NOBODY, channel)
    runtime.context = context  # so that the collector has to come


def async_client(runtime):
    async def call():
        runtime.context = AsyncContext(NOBODY, runtime=runtime)
        runtime.context.pool.to(NOBODY)
        runtime.context.close()

    asyncio.run(call())


def descriptors():
    return len(os.listdir("/proc/self/fd"))


for number in range(10):
    globals()[sys.argv[1]](Runtime(Settings()))
    gc.collect()
    if not number:
        before = descriptors()  # libraries may have opened some for good
while descriptors() > before + 8:  # what one runtime has
    time.sleep(0.01)
print("let go")
"""


@pytest.mark.parametrize("kind", ["sync_client", "async_client"])
def test_dropped_with_clients_lets_go_without_a_word(
    kind: str, processes: helpers.Processes
) -> None:
    program = processes.python("-W", "error", "-c", DROPS, kind)
    assert program.wait() == 0, program.output
    assert program.output == "let go\n"


@interface("com.foo.dropped")
class Dropped:
    """A service of a runtime that nobody closes."""


@pytest.mark.parametrize("runs", [True, False])
def test_dropped_with_servers_warns_and_lets_go(runs: bool, collect: Callable[[], object]) -> None:
    server = ServiceServer(["tcp://127.0.0.1:*"], [Dropped], Runtime(Settings()))
    (address,) = server.addresses
    stand_in, gone = server.listeners[0]._watcher._thread, weakref.ref(server)
    if runs:
        loop = asyncio.new_event_loop()
        server.setup(loop)
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        del loop
    del server
    with pytest.warns(ResourceWarning, match=f"Runtime was not closed, with servers at {address}"):
        collect()
    assert gone() is None
    assert not stand_in.is_alive()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))), "still listens"


def test_dropped_with_servers_without_sockets_says_nothing(
    collect: Callable[[], object],
) -> None:
    """Only tests have such servers."""
    gone = []
    for addresses, transport in (([], None), (["local://a"], LocalTransport())):
        server = ServiceServer(addresses, [Dropped], Runtime(Settings(), transport=transport))
        gone.append(weakref.ref(server))
    del server, transport
    collect()  # a warning would be an error
    assert [server() for server in gone] == [None, None]


def test_forked_child_leaves_its_parents_servers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime(Settings())
    server = ServiceServer(["tcp://127.0.0.1:*"], [Dropped], runtime)
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        runtime.__del__()  # a warning would be an error
    assert server.listeners
    runtime.close()


def test_what_threads_ask_for_at_one_time_is_made_once(make_runtime: MakeRuntime) -> None:
    made = make_runtime()
    start = threading.Barrier(8)

    def ask(_: int) -> Any:
        start.wait(30)
        return made.balancer()

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, range(8)))
    assert all(one == found[0] for one in found)
