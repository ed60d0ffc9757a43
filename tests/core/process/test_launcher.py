"""Running a service as a process: what is served, and how it ends."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import helpers
import pytest
from doubles import double
from helpers import until
from in_process import MakeRuntime, payload

from pycom_core import (
    AccessDenied,
    CallTimeout,
    ConfigurationError,
    Context,
    Request,
    Runtime,
    ServiceServer,
    constants,
    interface,
    method,
)
from pycom_core.process import _advertising as advertising
from pycom_core.process._launcher import ServiceProcess, load_providers, providers_in, run_modules
from pycom_core.transport._local import LocalChannel

PATIENCE = 30  # s

SERVICE = """
from pycom_core import interface, method

@interface("com.foo.{name}")
class {name}:
    pass
"""


class Modules:
    """Writes modules into the directory that the test runs in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __setitem__(self, name: str, source: str) -> None:
        path = self.folder / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Modules]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    yield Modules(tmp_path)
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def names_of(providers: Any) -> list[str]:
    return sorted(provider.__interface__.name for provider in providers)


# Which interfaces are served.


def test_interfaces_of_a_module(modules: Modules) -> None:
    modules["served"] = SERVICE.format(name="one") + SERVICE.format(name="two")
    assert names_of(load_providers(["served"])) == ["com.foo.one", "com.foo.two"]


def test_interfaces_of_what_it_imports(modules: Modules) -> None:
    modules["pack.__init__"] = ""
    modules["pack.inner"] = SERVICE.format(name="inner")
    modules["pack.outer"] = "import pack.inner\n" + SERVICE.format(name="outer")
    assert names_of(load_providers(["pack.outer"])) == ["com.foo.inner", "com.foo.outer"]


def test_several_modules_each_interface_once(modules: Modules) -> None:
    modules["common"] = SERVICE.format(name="common")
    modules["one"] = "from common import common\n" + SERVICE.format(name="one")
    modules["two"] = "from common import common as other\n" + SERVICE.format(name="two")
    expected = ["com.foo.common", "com.foo.one", "com.foo.two"]
    assert names_of(load_providers(["one", "two"])) == expected
    assert names_of(load_providers(["one", "two"])) == expected, "also when they are loaded"


def test_subclass_without_an_interface_of_its_own_is_not_served(modules: Modules) -> None:
    modules["served"] = SERVICE.format(name="one") + "class Sub(one): pass\nmade = one()\n"
    assert names_of(load_providers(["served"])) == ["com.foo.one"]


def test_nameserver_beside_a_service(modules: Modules) -> None:
    modules["served"] = "import pycom.apps.nameserver\n" + SERVICE.format(name="one")
    assert names_of(load_providers(["served", "pycom.apps.nameserver"])) == [
        "com.foo.one",
        constants.NS_INTERFACE,
    ]


def test_kernel_and_plugins_are_not_served_because_they_are_loaded() -> None:
    import pycom_plugins.demo.service

    ours = [
        module
        for name, module in sys.modules.items()
        if name.startswith(("pycom_core", "pycom_plugins"))
    ]
    assert pycom_plugins.demo.service in ours
    assert list(providers_in(ours)) == []


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("x = 1", "The module 'served' provides no interface; decorate a class"),
        ("import pycom_core", "provides no interface"),
        ("raise KeyError('lost')", "Cannot import the module 'served': KeyError: 'lost'"),
        ("import nonsense_of_nobody", "Cannot import the module 'served': ModuleNotFoundError"),
        ("def", "Cannot import the module 'served': SyntaxError"),
        (
            "raise type('Odd', (BaseException,), {})('lost')",
            "Cannot import the module 'served': Odd: lost",
        ),
    ],
)
def test_modules_that_serve_nothing(source: str, says: str, modules: Modules) -> None:
    modules["served"] = source
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        load_providers(["served"])


WRONG = """
import pycom

@pycom.interface("com.foo.wrong")
class Wrong:
    @pycom.method
    @staticmethod
    def f(request): pass
"""


def test_frames_of_a_wrong_declaration_are_the_users(modules: Modules) -> None:
    modules["wrong"] = WRONG
    with pytest.raises(ConfigurationError) as caught:
        load_providers(["wrong"])
    first, *frames = str(caught.value).splitlines()
    assert "Wrong.f: @method cannot be above @staticmethod" in first
    file = modules.folder / "wrong.py"
    places = [line.strip() for line in frames if line.startswith("  File")]
    assert len(places) == 2
    assert all(place.startswith(f'File "{file}", line ') for place in places)


def test_wrong_signature_is_shown_where_it_is(modules: Modules) -> None:
    modules["wrong"] = WRONG.replace("    @staticmethod\n", "").replace("(request)", "(self)")
    with pytest.raises(ConfigurationError) as caught:
        load_providers(["wrong"])
    file = modules.folder / "wrong.py"
    assert re.search(rf"request, …\) \({re.escape(str(file))}, line 6\)$", str(caught.value), re.M)


def test_frame_of_the_module_that_failed_comes_first(modules: Modules) -> None:
    modules["inner"] = "import json\n\n\ndef load():\n    json.loads('{')\n\n\nload()"
    modules["outer"] = "import inner"
    with pytest.raises(ConfigurationError) as caught:
        load_providers(["outer"])
    first, *frames = str(caught.value).splitlines()
    assert first.startswith("Cannot import the module 'outer': JSONDecodeError: ")
    places = [line.strip() for line in frames if line.startswith("  File")]
    inner = modules.folder / "inner.py"
    assert places[:3] == [
        f'File "{modules.folder / "outer.py"}", line 1, in <module>',
        f'File "{inner}", line 8, in <module>',
        f'File "{inner}", line 5, in load',
    ]
    assert "    json.loads('{')" in frames


@pytest.mark.parametrize("name", ["nonsense_of_nobody", "json.nonsense", ".relative", ""])
def test_names_of_no_module(name: str, modules: Modules) -> None:
    with pytest.raises(ConfigurationError, match=f"Cannot import the module {name!r}"):
        load_providers([name])


def test_odd_things_in_a_namespace() -> None:
    class Odd:
        def __getattr__(self, name: str) -> Any:
            raise KeyError(name)

    module = ModuleType("odd")
    vars(module).update(odd=Odd(), kind=type, none=None)
    assert list(providers_in([module])) == []


# A process.


@double(constants.NS_INTERFACE)
class Names:
    """A nameserver that keeps its registrations."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self.refuses = False

    @method
    def register(self, request: Request, service: str, address: str, interfaces: Any) -> Any:
        if self.refuses:
            raise AccessDenied("taken")
        self.known[service] = address
        return {}

    @method
    def unregister(self, request: Request, service: str, address: str) -> Any:
        self.known.pop(service)
        return {}


@interface("com.foo.waiting")
class Waiting:
    def __init__(self) -> None:
        self.started = threading.Event()
        self.free = threading.Event()

    @method
    async def wait(self, request: Request) -> str:
        import asyncio

        self.started.set()
        while not self.free.is_set():
            await asyncio.sleep(0.001)
        return "done"


@pytest.fixture
def names(make_runtime: MakeRuntime) -> Names:
    names = Names()
    ServiceServer(["local://names"], [names], make_runtime())
    return names


@pytest.fixture
def told(make_runtime: MakeRuntime) -> Iterator[Runtime]:
    """The runtime of a service, completely configured."""
    runtime = make_runtime(
        address="local://service", service="/com/foo/one", nameserver=("local://names",)
    )
    yield runtime
    runtime.ioloop().close()


@contextlib.contextmanager
def started(process: ServiceProcess) -> Iterator[list[Any]]:
    """Run the process in a thread; its exit status is in the list afterwards."""
    ended: list[Any] = []

    def run() -> None:
        try:
            ended.append(process.run())
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield ended
    finally:
        process.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_from_registration_to_the_last_word(told: Runtime, names: Names) -> None:
    process = ServiceProcess(told, [Waiting])
    with started(process) as ended:
        assert process.registrar.registered.wait(PATIENCE)
        assert names.known == {"/com/foo/one": "local://service"}
    assert ended == [0]
    assert names.known == {}
    assert told.servers == []


def test_registers_while_its_loop_runs(
    told: Runtime, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, runs = ServiceProcess(told, [Waiting]), []
    start = process.registrar.start

    def watched() -> None:
        runs.append(process.loop.is_running())
        start()

    monkeypatch.setattr(process.registrar, "start", watched)
    with started(process):
        assert process.registrar.registered.wait(PATIENCE)
    assert runs == [True]


def test_drains_what_runs_after_it_has_unregistered(
    told: Runtime, names: Names, make_runtime: MakeRuntime
) -> None:
    waiting = Waiting()
    process = ServiceProcess(told, [waiting])
    answers: list[Any] = []
    frames = payload("com.foo.waiting", "wait")
    channel = make_runtime().connect("local://service")
    caller = threading.Thread(
        target=lambda: answers.append(channel.exchange(frames, PATIENCE * 1000))
    )
    with started(process):
        assert process.registrar.registered.wait(PATIENCE)
        caller.start()
        assert waiting.started.wait(PATIENCE)
        process.stop()
        assert names.known == {}
        waiting.free.set()
        caller.join(PATIENCE)
    assert answers == [[b"OK", b'{"code":0,"result":"done"}']]


def test_drain_has_an_end(make_runtime: MakeRuntime, names: Names) -> None:
    runtime = make_runtime(
        address="local://service", nameserver=("local://names",), drain_timeout=20
    )
    waiting = Waiting()
    process = ServiceProcess(runtime, [waiting])
    frames = payload("com.foo.waiting", "wait")
    channel = make_runtime().connect("local://service")
    with started(process) as ended:
        with pytest.raises(CallTimeout):
            channel.exchange(frames, 50)
        assert waiting.started.wait(PATIENCE)
    assert ended == [0]
    waiting.free.set()
    runtime.ioloop().close()


def test_it_does_not_end_before_it_has_said_why(
    told: Runtime, names: Names, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pycom_core.process._launcher._SAYING", PATIENCE)
    process = ServiceProcess(told, [Waiting])
    stop, close = process.stop, process.server.close
    is_closed = threading.Event()

    def closed() -> None:
        close()
        is_closed.set()

    def slow() -> None:
        stop()
        assert is_closed.wait(PATIENCE)
        time.sleep(0.05)

    monkeypatch.setattr(process.server, "close", closed)
    monkeypatch.setattr(process, "stop", slow)
    with caplog.at_level(logging.INFO), started(process) as ended:
        assert process.registrar.registered.wait(PATIENCE)
        sayer = threading.Thread(target=process._stop_at, args=["SIGHUP"])
        sayer.start()
        until(lambda: ended)
        assert f"Service {process.name} stops: SIGHUP" in caplog.messages
        sayer.join()


def test_refused_service_ends(told: Runtime, names: Names) -> None:
    names.refuses = True
    process = ServiceProcess(told, [Waiting])
    with pytest.raises(AccessDenied, match="taken"):
        process.run()
    assert told.servers == []


def test_without_an_address(make_runtime: MakeRuntime) -> None:
    with pytest.raises(ConfigurationError, match="needs an address to listen on: -a tcp://"):
        ServiceProcess(make_runtime(), [Waiting])
    with pytest.raises(ConfigurationError, match="Cannot import the module"):
        run_modules(make_runtime(), ["nonsense_of_nobody"])


def test_module_that_serves_itself_is_not_served_twice(
    make_runtime: MakeRuntime, modules: Modules
) -> None:
    modules["serving"] = FAILING.format(parameters="", body="pass") + "\npycom.main()"
    with pytest.raises(ConfigurationError) as caught:
        run_modules(make_runtime(), ["serving"])
    said = str(caught.value)
    assert "serving is imported to be served, and would serve itself" in said
    assert 'call pycom.main() under `if __name__ == "__main__":`' in said
    assert "serving.py" in said


FAILING = """
import pycom, sys

@pycom.interface("com.foo.failing")
class Failing:
    def __init__(self{parameters}):
        {body}

    @pycom.method
    def f(self, request): pass
"""


@pytest.mark.parametrize(
    ("parameters", "body", "reason", "line"),
    [
        ("", "{}['lost']", "KeyError: 'lost'", 7),
        ("", "sys.exit('enough')", "SystemExit: enough", 7),
        ("", "raise type('Odd', (BaseException,), {})('enough')", "Odd: enough", 7),
        (", database", "pass", "missing 1 required positional argument: 'database'", None),
    ],
)
def test_object_that_cannot_be_made_stops_the_start_and_is_shown(
    parameters: str, body: str, reason: str, line: int | None, told: Runtime, modules: Modules
) -> None:
    modules["failing"] = FAILING.format(parameters=parameters, body=body)
    with pytest.raises(ConfigurationError) as caught:
        run_modules(told, ["failing"])
    first, *frames = str(caught.value).splitlines()
    for part in ("failing.Failing(), the object that provides com.foo.failing, cannot be", reason):
        assert part in first
    place = f'  File "{modules.folder / "failing.py"}", line {line}, in __init__'
    assert frames[:1] == ([] if line is None else [place])
    assert told.servers == []


@pytest.mark.parametrize("base", ["", "(pycom.Service)"])
def test_class_without_methods_stops_the_start(
    base: str, told: Runtime, modules: Modules, names: Names
) -> None:
    modules["bare"] = f"import pycom\n@pycom.interface('com.foo.bare')\nclass Bare{base}: pass"
    with pytest.raises(ConfigurationError, match=r"com\.foo\.bare of Bare> has no methods; decor"):
        run_modules(told, ["bare"])
    assert told.servers == []
    assert names.known == {}


def test_methods_may_come_before_the_start(told: Runtime, names: Names) -> None:
    @interface("com.foo.made")
    class Made:
        def __init__(self) -> None:
            self.__interface__.register_method(  # type: ignore[attr-defined]
                method("f", body=lambda self, request: 1)
            )

    process = ServiceProcess(told, [Made])
    with started(process):
        assert process.registrar.registered.wait(PATIENCE)


def test_names_itself_where_nobody_does(make_runtime: MakeRuntime) -> None:
    made = [
        ServiceProcess(make_runtime(address=f"local://{number}"), [Waiting]) for number in (1, 2)
    ]
    assert all(re.fullmatch("/auto/[0-9a-f]{32}", process.name) for process in made)
    assert made[0].name != made[1].name
    for process in made:
        process.loop.close()


def test_registers_where_the_context_of_its_caller_finds_names(
    make_runtime: MakeRuntime, names: Names
) -> None:
    runtime = make_runtime(address="local://service", service="/mine")
    process = ServiceProcess(runtime, [Waiting], Context("local://names", runtime=runtime))
    with started(process):
        assert process.registrar.registered.wait(PATIENCE)
        assert names.known == {"/mine": "local://service"}
    runtime.ioloop().close()


# The address that others are told.


@pytest.fixture
def other_names(make_runtime: MakeRuntime) -> Names:
    names = Names()
    ServiceServer(["local://other"], [names], make_runtime())
    return names


def test_wildcard_is_registered_as_each_nameserver_sees_it(
    make_runtime: MakeRuntime,
    names: Names,
    other_names: Names,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hosts = {"local://names": "10.0.0.9", "local://other": "10.1.0.9"}
    monkeypatch.setattr(advertising, "_host_towards", lambda nameserver, _: hosts[nameserver])
    runtime = make_runtime(address="tcp://0.0.0.0:2013", service="/one", nameserver=tuple(hosts))
    process = ServiceProcess(runtime, [Waiting])
    with caplog.at_level("INFO"), started(process):
        helpers.until(lambda: names.known and other_names.known)
        for one, host in ((names, "10.0.0.9"), (other_names, "10.1.0.9")):
            assert one.known == {"/one": f"tcp://{host}:2013"}
        # What leads to itself stays within the process.
        for host in ("0.0.0.0", "localhost", "127.0.0.1", "[::1]", *hosts.values()):
            assert isinstance(runtime.connect(f"tcp://{host}:2013"), LocalChannel)
    assert (names.known, other_names.known) == ({}, {})
    assert "Service /one listens on tcp://0.0.0.0:2013" in caplog.text
    assert "Others reach it at tcp://10.0.0.9:2013, tcp://10.1.0.9:2013" in caplog.text
    runtime.ioloop().close()


def test_advertised_address_is_registered(
    make_runtime: MakeRuntime, names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = make_runtime(
        address="tcp://127.0.0.1:2013",
        advertise="tcp://far.example:*",
        nameserver=("local://names",),
        service="/one",
    )
    process = ServiceProcess(runtime, [Waiting])
    with caplog.at_level("INFO"), started(process):
        assert process.registrar.registered.wait(PATIENCE)
        assert names.known == {"/one": "tcp://far.example:2013"}
    assert "Service /one listens on tcp://127.0.0.1:2013" in caplog.text
    assert "Others reach it at tcp://far.example:2013" in caplog.text
    runtime.ioloop().close()


def test_what_is_bound_is_all_there_is_to_say(
    told: Runtime, names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"), started(ServiceProcess(told, [Waiting])) as ended:
        pass
    assert ended == [0]
    assert "listens on local://service" in caplog.text
    assert "Others" not in caplog.text


def test_advertise_that_leads_nowhere_stops_the_start(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(address="local://a", advertise="tcp://0.0.0.0:80")
    with pytest.raises(ConfigurationError, match="which others cannot connect to; name a host"):
        ServiceProcess(runtime, [Waiting])
    assert runtime.servers == []
