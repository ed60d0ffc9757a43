"""Chains: pluggy's hooks, compiled."""

from __future__ import annotations

from collections.abc import Generator
from types import SimpleNamespace
from typing import Any

import pytest

from pycom_core import AccessDenied, Identity, RemoteError, hookimpl
from pycom_core.plugins._chains import HookFailed
from pycom_core.plugins._manager import Plugins

#: The hooks of a call that are plain functions, with what the kernel gives them.
PLAIN = {
    "authorize": ("identity", "iface", "method", "request"),
    "prehook": ("iface", "method", "data"),
    "posthook": ("iface", "method", "data"),
    "client_prehook": ("component", "data"),
    "client_posthook": ("component", "data"),
}
plain = pytest.mark.parametrize("name", PLAIN)


def registered(name: str, **functions: Any) -> Plugins:
    """Plugins of these names, the first registered last: they are called in this order."""
    plugins = Plugins()
    for plugin, function in reversed(functions.items()):
        if not hasattr(function, "pycom_impl"):
            function = hookimpl(function)
        plugins.register(SimpleNamespace(**{f"pycom_{name}": function}), plugin)
    return plugins


def run(plugins: Plugins, name: str) -> list[Any]:
    """Call a chain as the kernel does, with the names of the arguments as their values."""
    return [link(*PLAIN[name]) for link in getattr(plugins.chains, name)]


def test_empty_where_no_plugin_is() -> None:
    chains = Plugins().chains
    for name in (*PLAIN, "authenticate", "invoke"):
        assert getattr(chains, name) == ()


@plain
def test_order_and_every_number_of_arguments(name: str) -> None:
    seen: list[Any] = []
    every = PLAIN[name]
    functions = {
        f"f{count}": eval(f"lambda {', '.join(every[-count:])}: see({', '.join(every[-count:])})")
        for count in range(1, len(every) + 1)
    }
    for function in functions.values():
        function.__globals__["see"] = lambda *values: seen.append(values)
    run(registered(name, none=lambda: seen.append(()), **functions), name)
    assert seen == [(), *(every[-count:] for count in range(1, len(every) + 1))]


@plain
def test_arguments_in_an_order_of_the_plugin(name: str) -> None:
    seen: list[Any] = []
    first, *_, last = PLAIN[name]
    function = eval(
        f"lambda {last}, {first}: see({last}, {first})", {"see": lambda *a: seen.extend(a)}
    )
    run(registered(name, mine=function), name)
    assert seen == [last, first]


@plain
def test_remote_error_passes_as_it_is(name: str) -> None:
    error = RemoteError("teapot", code=42)

    def refuse() -> None:
        raise error

    with pytest.raises(RemoteError) as caught:
        run(registered(name, mine=refuse), name)
    assert caught.value is error


@plain
@pytest.mark.parametrize("wrapped", [False, True])
def test_other_exceptions_are_failures_of_the_plugin(
    name: str, wrapped: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ValueError("secret")

    others = {"wrapping": through} if wrapped else {}
    with pytest.raises(AccessDenied if name == "authorize" else HookFailed) as caught:
        run(registered(name, mine=fail, **others), name)
    failure = caught.value.__cause__ if name == "authorize" else caught.value
    for part in ("mine", f"pycom_{name}", "ValueError('secret')"):
        assert part in str(failure)
    if name == "authorize":
        assert str(caught.value) == "Access denied"
        assert str(failure) in caplog.text
        assert "Traceback" in caplog.text
    else:
        assert isinstance(failure.__cause__, ValueError)


@plain
@pytest.mark.parametrize("wrapped", [False, True])
def test_result_is_refused(name: str, wrapped: bool) -> None:
    others = {"wrapping": through} if wrapped else {}
    with pytest.raises(HookFailed, match=f"mine.* from pycom_{name}; it must .* return None"):
        run(registered(name, mine=lambda: "data", **others), name)


@hookimpl(wrapper=True)
def through() -> Generator[None, Any, Any]:
    return (yield)


@plain
def test_wrapper_around_the_others(name: str) -> None:
    seen: list[str] = []

    @hookimpl(wrapper=True)
    def wrapping() -> Generator[None, Any, Any]:
        seen.append("before")
        result = yield
        seen.append("after")
        return result

    plugins = registered(
        name, one=lambda: seen.append("one"), wraps=wrapping, two=lambda: seen.append("two")
    )
    run(plugins, name)
    assert seen == ["before", "one", "two", "after"]
    assert len(getattr(plugins.chains, name)) == 1
    plugins.unregister("wraps")
    assert len(getattr(plugins.chains, name)) == 2


@plain
def test_wrapper_sees_the_error_of_the_others(name: str) -> None:
    seen: list[BaseException] = []
    error = RemoteError("teapot", code=42)

    @hookimpl(wrapper=True)
    def wrapping() -> Generator[None, Any, Any]:
        try:
            return (yield)
        except RemoteError as caught:
            seen.append(caught)
            raise

    def refuse() -> None:
        raise error

    with pytest.raises(RemoteError) as caught:
        run(registered(name, wraps=wrapping, refuses=refuse), name)
    assert caught.value is error
    assert seen == [error]


def test_authentication_gives_what_the_plugin_gives() -> None:
    anna = Identity("anna")
    plugins = registered("authenticate", one=lambda request: request, two=lambda: anna)
    one, two = plugins.chains.authenticate
    assert one("iface", "method", "request") == "request"
    assert two("iface", "method", "request") is anna


def test_wrappers_of_invoke_in_their_order() -> None:
    def wrapper(name: str) -> Any:
        @hookimpl(wrapper=True)
        def pycom_invoke() -> Generator[str, Any, Any]:
            yield name

        return pycom_invoke

    plugins = registered("invoke", one=wrapper("one"), two=wrapper("two"))
    assert [next(link(1, 2, 3)) for link in plugins.chains.invoke] == ["one", "two"]


def test_compiled_anew_when_a_plugin_comes_or_goes() -> None:
    plugins = Plugins()
    chains = plugins.chains
    plugins.register(SimpleNamespace(pycom_prehook=hookimpl(lambda: None)), "one")
    plugins.register(SimpleNamespace(pycom_prehook=hookimpl(lambda: None)), "two")
    assert len(chains.prehook) == 2
    plugins.unregister("one")
    assert len(chains.prehook) == 1
    plugins.unregister("two")
    assert chains.prehook == ()
    assert chains is plugins.chains
