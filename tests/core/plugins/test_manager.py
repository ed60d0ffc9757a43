"""Plugins: found, checked, and refused with helpful messages."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace

import pytest
from in_process import Distributions, MakeRuntime

from pycom_core import PluginError, Runtime, ServiceServer, hookimpl
from pycom_core.plugins._discovery import installed_names
from pycom_core.plugins._manager import Plugins, cli_plugins

OURS = set(installed_names())

#: Plugins that cannot be loaded, by what is wrong with them: source, what the error must say.
BROKEN = {
    "import error": ("import no_such_module", ["ModuleNotFoundError", "no_such_module"]),
    "syntax error": ("def", ["SyntaxError", "module_bad"]),
    "exit": ("import sys\nsys.exit('enough')", ["SystemExit: enough"]),
    "something odd": (
        "raise type('Odd', (BaseException,), {})('skipped')",
        ["cannot be loaded from module_bad: Odd: skipped"],
    ),
    "unknown hook": (
        "@hookimpl\ndef pycom_prehok(data): pass",
        ["unknown hook pycom_prehok", "did you mean pycom_prehook?"],
    ),
    "hook like no other": ("@hookimpl\ndef frobnicate(): pass", ["unknown hook frobnicate"]),
    "wrong argument": (
        "@hookimpl\ndef pycom_prehook(iface, request): pass",
        [
            "pycom_prehook(iface, request)",
            "'request'",
            "it offers pycom_prehook(iface, method, data)",
        ],
    ),
    "no marker": ("def pycom_prehook(data): pass", ["pycom_prehook", "marker @hookimpl"]),
    "invoke that wraps nothing": (
        "@hookimpl\ndef pycom_invoke(request): return 1",
        ["pycom_invoke", "@hookimpl(wrapper=True) and one yield"],
    ),
    "async hook": (
        "@hookimpl\nasync def pycom_prehook(data): pass",
        ["pycom_prehook as async def", "only pycom_authenticate may be"],
    ),
    "async wrapper": (
        "@hookimpl(wrapper=True)\nasync def pycom_invoke(request): yield",
        ["pycom_invoke"],
    ),
    "wrapped contribution": (
        "@hookimpl(wrapper=True)\ndef pycom_balancers(): return (yield)",
        ["wraps pycom_balancers"],
    ),
    "wrapped life": (
        "@hookimpl(wrapper=True)\ndef pycom_startup(): return (yield)",
        ["wraps pycom_startup"],
    ),
    "wrapped authentication": (
        "@hookimpl(wrapper=True)\ndef pycom_authenticate(): return (yield)",
        ["wraps pycom_authenticate"],
    ),
    "contribution of a wrong type": (
        "@hookimpl\ndef pycom_balancers(): return ['bad']",
        ["returned list from pycom_balancers", "must return a mapping"],
    ),
    "contribution under a wrong name": (
        "@hookimpl\ndef pycom_balancers(): return {b'bad': print}",
        ["pycom_balancers", "b'bad'", "str"],
    ),
    "contribution of nothing to call": (
        "@hookimpl\ndef pycom_session_stores(): return {'bad': 'store'}",
        ["pycom_session_stores", "'bad'", "'store'"],
    ),
    "raising contribution": (
        "@hookimpl\ndef pycom_nameserver_backends(): raise KeyError('lost')",
        ["failed in pycom_nameserver_backends", "KeyError('lost')"],
    ),
    "raising configuration": (
        "@hookimpl\ndef pycom_configure(runtime): raise KeyError('lost')",
        ["failed in pycom_configure", "KeyError('lost')"],
    ),
    "exiting contribution": (
        "@hookimpl\ndef pycom_balancers(): raise SystemExit(3)",
        ["failed in pycom_balancers: SystemExit(3)"],
    ),
    "exiting configuration, by raising": (
        "@hookimpl\ndef pycom_configure(runtime): raise SystemExit(3)",
        ["failed in pycom_configure: SystemExit(3)"],
    ),
}
broken = pytest.mark.parametrize(("source", "reasons"), BROKEN.values(), ids=BROKEN)


@broken
def test_stops_the_start_and_says_why(
    source: str, reasons: list[str], distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    distributions.plugin("bad", source)
    with pytest.raises(PluginError) as caught:
        make_runtime()
    for part in ("'bad'", "dist-bad 1.0", "plugins.disable", *reasons):
        assert part in str(caught.value)


@broken
def test_disabled_is_not_even_imported(
    source: str, reasons: list[str], distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    distributions.plugin("bad", source)
    runtime = make_runtime(disable=("bad",))
    assert runtime.plugins.infos["bad"].state == "disabled"
    assert runtime.plugins.active == OURS
    assert runtime.plugins.hooks_of("bad") == []
    assert "module_bad" not in sys.modules


LOADS_NOT = [name for name in BROKEN if "contribution" not in name and "raising" not in name]


@pytest.mark.parametrize("name", [*LOADS_NOT, "wrapped contribution"])
def test_optional_is_reported_and_left_out(
    name: str,
    distributions: Distributions,
    make_runtime: MakeRuntime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    source, reasons = BROKEN[name]
    distributions.plugin("bad", source)
    runtime = make_runtime(optional=("bad",))
    info = runtime.plugins.infos["bad"]
    assert info.state == "failed"
    assert runtime.plugins.active == OURS
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    for part in ("'bad'", "dist-bad 1.0", *reasons):
        assert part in info.reason
        assert part in record.getMessage()


def test_optional_that_is_well_is_used(
    distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    distributions.plugin("good", "")
    assert "good" in make_runtime(optional=("good",)).plugins.active


@pytest.mark.parametrize("kind", ["disable", "optional"])
def test_name_of_no_plugin_in_the_settings(kind: str, make_runtime: MakeRuntime) -> None:
    with pytest.raises(
        PluginError, match="names nonsense, but installed are .*balancing, bench, call"
    ):
        make_runtime(**{kind: ("nonsense",)})


def test_two_distributions_with_one_name(
    distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    for number in (1, 2):
        distributions.module(f"module_{number}", "")
        distributions.add(f"dist-{number}", same=f"module_{number}")
    with pytest.raises(PluginError) as caught:
        make_runtime()
    for part in ("'same'", "dist-1 1.0", "dist-2 1.0", "module_1", "module_2", "plugins.disable"):
        assert part in str(caught.value)
    assert make_runtime(disable=("same",)).plugins.infos["same"].state == "disabled"


#: Names that our own plugins contribute too.
TAKEN = {
    "pycom_commands": "{b'CALL': BaseCommand(server)}",
    "pycom_nameserver_backends": "{'memory': print}",
    "pycom_session_stores": "{'memory': print}",
    "pycom_balancers": "{'random': print}",
}


@pytest.mark.parametrize("hook", TAKEN)
def test_two_plugins_that_contribute_one_name(
    hook: str, distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    argument = "server" if hook == "pycom_commands" else ""
    distributions.plugin(
        "zz",
        f"""
        from pycom_core import BaseCommand
        @hookimpl
        def {hook}({argument}):
            return {TAKEN[hook]}
        """,
    )

    def start(**options: tuple[str, ...]) -> None:
        ServiceServer(["local://a"], runtime=make_runtime(**options)).close()

    with pytest.raises(PluginError) as caught:
        start()
    name = TAKEN[hook][1:].partition(":")[0]
    for part in ("'zz'", "dist-zz 1.0", "of pycom 1", "both contribute", name, "plugins.disable"):
        assert part in str(caught.value)
    start(disable=("zz",))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("{'PING': BaseCommand(server)}", "bytes"),
        ("{b'PING': BaseCommand}", "BaseCommand"),
        ("{b'PING': None}", "None"),
        ("[b'PING']", "must return a mapping"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_commands_that_are_none(
    given: str, reason: str, distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    distributions.plugin(
        "bad",
        f"""
        from pycom_core import BaseCommand
        @hookimpl
        def pycom_commands(server):
            return {given}
        """,
    )
    runtime = make_runtime()
    with pytest.raises(PluginError) as caught:
        ServiceServer(["local://a"], runtime=runtime)
    for part in ("'bad'", "dist-bad 1.0", "pycom_commands", reason, "plugins.disable"):
        assert part in str(caught.value)
    assert runtime.servers == []


@pytest.mark.parametrize("target", ["shapes", "shapes:Plugin", "shapes:make", "shapes:made"])
def test_what_an_entry_point_may_name(
    target: str, distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    distributions.module(
        "shapes",
        """
        from pycom_core import hookimpl
        class Plugin:
            @hookimpl
            def pycom_configure(self, runtime):
                runtime.seen = "by an object"
        def make():
            return Plugin()
        made = Plugin()
        @hookimpl
        def pycom_configure(runtime):
            runtime.seen = "by a module"
        """,
    )
    distributions.add("dist-shapes", shapes=target)
    runtime = make_runtime()
    assert runtime.seen == ("by a module" if target == "shapes" else "by an object")
    info = runtime.plugins.infos["shapes"]
    assert (info.target, info.state, info.distributions) == (target, "active", ["dist-shapes 1.0"])
    assert info.load_time > 0


@pytest.mark.parametrize(
    ("target", "reason"), [("shapes:missing", "AttributeError"), ("shapes:Bad", "KeyError")]
)
def test_entry_point_that_gives_no_plugin(
    target: str, reason: str, distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    distributions.module("shapes", "class Bad:\n    def __init__(self): raise KeyError")
    distributions.add("dist-shapes", shapes=target)
    with pytest.raises(
        PluginError, match=f"dist-shapes 1.0 cannot be loaded from {target}: {reason}"
    ):
        make_runtime()


def test_our_features_are_plugins_like_any(make_runtime: MakeRuntime) -> None:
    infos = make_runtime().plugins.infos
    assert list(infos) == sorted(OURS)
    assert {"balancing", "call", "introspection", "nameserver_service"} <= OURS
    for info in infos.values():
        assert info.target.startswith("pycom_plugins.")
        [distribution] = info.distributions
        assert distribution.startswith("pycom ")


# Order.


def recorder(seen: list[str], name: str, **marks: bool) -> object:
    @hookimpl(**marks)
    def pycom_configure(runtime: Runtime) -> None:
        seen.append(name)

    return SimpleNamespace(pycom_configure=pycom_configure)


def test_hooks_run_in_the_order_of_names(
    distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    marks = {"bb": "", "aa": "", "dd": "(tryfirst=True)", "cc": "(trylast=True)", "ee": ""}
    for name, mark in marks.items():
        distributions.plugin(
            name,
            f"""
            @hookimpl{mark}
            def pycom_configure(runtime):
                vars(runtime).setdefault("seen", []).append({name!r})
            """,
        )
    runtime = make_runtime()
    assert runtime.seen == ["dd", "aa", "bb", "ee", "cc"]
    order = runtime.plugins.order("pycom_configure")
    assert [name for name in order if name not in OURS] == runtime.seen


def test_by_hand_later_is_called_earlier_but_for_marks() -> None:
    seen: list[str] = []
    plugins = Plugins()
    plugins.register(recorder(seen, "one"), "one")
    plugins.register(recorder(seen, "last", trylast=True), "last")
    plugins.register(recorder(seen, "first", tryfirst=True), "first")
    plugins.register(recorder(seen, "two"), "two")
    plugins.notify("pycom_configure", runtime=None)
    assert seen == ["first", "two", "one", "last"]


# By hand.


def test_registered_by_hand(make_runtime: MakeRuntime) -> None:
    seen: list[str] = []
    runtime = make_runtime({"mine": recorder(seen, "mine")})
    assert seen == ["mine"]
    assert runtime.plugins.active == OURS | {"mine"}
    assert runtime.plugins.hooks_of("mine") == ["pycom_configure"]
    assert runtime.plugins.infos["mine"].distributions == []
    runtime.plugins.unregister("mine")
    assert runtime.plugins.active == OURS
    assert "mine" not in runtime.plugins.order("pycom_configure")


def test_name_of_a_plugin_without_one() -> None:
    plugins = Plugins()
    assert plugins.register(SimpleNamespace()) == "SimpleNamespace"
    assert plugins.register(sys.modules[__name__]) == __name__


def test_by_hand_under_a_name_that_is_taken(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    with pytest.raises(PluginError, match=r"already a plugin 'call' of pycom .*another name"):
        runtime.plugins.register(object(), "call")
    make_runtime(disable=("call",)).plugins.register(object(), "call")


def test_one_object_twice() -> None:
    plugin, plugins = SimpleNamespace(), Plugins()
    plugins.register(plugin, "one")
    with pytest.raises(PluginError, match=r"'two' \(registered by hand\) is registered twice"):
        plugins.register(plugin, "two")
    assert plugins.active == {"one"}


@pytest.mark.parametrize(
    "function",
    [
        hookimpl(lambda nonsense: None),
        hookimpl(wrapper=False)(lambda request: None),
        lambda request: None,
    ],
)
def test_refused_by_hand_leaves_nothing_behind(function: object) -> None:
    plugins = Plugins()
    with pytest.raises(PluginError, match=r"'mine' \(registered by hand\)"):
        plugins.register(SimpleNamespace(pycom_invoke=function), "mine")
    assert not plugins.infos
    assert plugins.order("pycom_invoke") == []
    assert plugins.chains.invoke == ()
    plugins.register(SimpleNamespace(), "mine")


def test_runtimes_know_nothing_of_one_another(make_runtime: MakeRuntime) -> None:
    seen: list[str] = []
    make_runtime({"mine": recorder(seen, "mine")})
    other = make_runtime()
    assert "mine" not in other.plugins.active
    assert seen == ["mine"]


# Life.


def test_notify_stops_at_the_first_that_fails_and_notify_all_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[str] = []

    @hookimpl(tryfirst=True)
    def pycom_shutdown(server: object) -> None:
        raise ValueError("no")

    @hookimpl
    def seeing(server: object) -> None:
        seen.append("good")

    plugins = Plugins()
    plugins.register(SimpleNamespace(pycom_shutdown=pycom_shutdown), "bad")
    plugins.register(SimpleNamespace(pycom_shutdown=seeing), "good")
    with pytest.raises(PluginError, match=r"'bad'.*failed in pycom_shutdown: ValueError\('no'\)"):
        plugins.notify("pycom_shutdown", server=None)
    assert seen == []
    plugins.notify_all("pycom_shutdown", server=None)
    assert seen == ["good"]
    assert "'bad' (registered by hand) failed in pycom_shutdown" in caplog.text


def test_error_of_a_hook_that_is_one_already_goes_on_as_it_is() -> None:
    error = PluginError("mend me")

    @hookimpl
    def pycom_startup(server: object) -> None:
        raise error

    plugins = Plugins()
    plugins.register(SimpleNamespace(pycom_startup=pycom_startup), "mine")
    with pytest.raises(PluginError) as caught:
        plugins.notify("pycom_startup", server=None)
    assert caught.value is error


# The command line.


def test_broken_plugin_has_no_say_in_the_command_line(
    distributions: Distributions, caplog: pytest.LogCaptureFixture
) -> None:
    distributions.plugin("bad", BROKEN["import error"][0])
    distributions.plugin("good", "@hookimpl\ndef pycom_cli(group): group.append('good')")
    added: list[str] = []
    plugins = cli_plugins()
    [mine] = [add for info, add in plugins.implementations("pycom_cli") if info.name == "good"]
    mine(group=added)
    assert added == ["good"]
    assert not caplog.records


def test_contributions_are_known_by_plugin(make_runtime: MakeRuntime) -> None:
    infos = make_runtime().plugins.infos
    assert infos["balancing"].contributions == {
        "pycom_balancers": ["random", "round-robin", "least-loaded"]
    }


# Without features.


def test_kernel_starts_without_any_plugin_and_knows_no_command(make_runtime: MakeRuntime) -> None:
    import in_process

    server = ServiceServer(["local://a"], runtime=make_runtime(disable=tuple(OURS)))
    assert server.commands == {}
    assert in_process.call(server, "com.foo", "bar") == {
        "code": 4,
        "error": "Unknown command: CALL",
    }
    server.close()
