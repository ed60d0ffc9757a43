"""Arguments of a call as they are written on the command line."""

from __future__ import annotations

from typing import Any

import click
import pytest
from in_process import MakeRuntime

from pycom_core import AccessDenied, Context, Request, ServiceServer, interface, method
from pycom_core.process._arguments import named_values, refuse_unknown
from pycom_plugins.introspection.service import Service

IFACE = "com.foo.arguments"


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        ([], {}),
        (["a=1", "b=x", "c="], {"a": 1, "b": "x", "c": ""}),
        (["a=b=c"], {"a": "b=c"}),
        (['a={"b": [null]}'], {"a": {"b": [None]}}),
        (["a=NaN", "b=-Infinity"], {"a": "NaN", "b": "-Infinity"}),
        (["a=" + "[" * 100_000], {"a": "[" * 100_000}),
    ],
)
def test_values_are_json_or_text(texts: list[str], values: Any) -> None:
    assert named_values(texts) == values


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["a"], "'a' is not an argument; write NAME=VALUE"),
        (["=1"], "write NAME=VALUE"),
        (["a=1", "a=1"], "'a' is given twice"),
        (["a=1", "b=2", "a=3"], "'a' is given twice"),
    ],
)
def test_what_is_written_wrong(texts: list[str], says: str) -> None:
    with pytest.raises(click.UsageError, match=says):
        named_values(texts)


@interface(IFACE)
class Tools(Service):
    @method
    def cut(self, request: Request, what: Any, how: Any = None) -> None: ...

    @method(attachments=("blob", None))
    def size(self, request: Request, blob: bytes, unit: str = "B") -> None: ...

    @method
    def echo(self, request: Request) -> Any:
        return request.args


@interface("com.foo.silent")
class Silent:
    @method
    def cut(self, request: Request, what: Any) -> None: ...


@pytest.fixture
def component(make_runtime: MakeRuntime) -> Any:
    runtime = make_runtime()
    ServiceServer(["local://tools"], [Tools(), Silent()], runtime)
    return Context(runtime=runtime).connect("local://tools", IFACE)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("cut", ["what"]),
        ("cut", ["how"]),  # the service says what is missing
        ("echo", ["anything"]),
        ("nothing", ["anything"]),  # the service says so
        ("size", ["unit"]),
    ],
)
def test_arguments_that_may_be_sent(name: str, arguments: list[str], component: Any) -> None:
    refuse_unknown(component, name, dict.fromkeys(arguments))


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("cut", ["what", "hwo"], "cut has no argument 'hwo'; it takes what, how"),
        ("cut", ["x", "y"], "cut has no argument 'x', 'y'"),
        ("size", ["blob"], "'blob' is the attachment of size"),
    ],
)
def test_arguments_that_are_refused(
    name: str, arguments: list[str], says: str, component: Any
) -> None:
    with pytest.raises(click.UsageError, match=says):
        refuse_unknown(component, name, dict.fromkeys(arguments))


def test_nothing_is_asked_for_a_call_without_arguments(component: Any) -> None:
    called: list[Any] = []
    component.context.prehooks.append(lambda component, data: called.append(data))
    refuse_unknown(component, "cut", {})
    assert called == []


def test_service_that_does_not_describe_itself_refuses_for_itself(component: Any) -> None:
    silent = component.context.connect("local://tools", "com.foo.silent")
    refuse_unknown(silent, "cut", {"hwo": 1})


def test_description_that_is_denied_refuses_nothing(component: Any) -> None:
    def deny(component: Any, data: Any) -> None:
        raise AccessDenied("not you")

    component.context.prehooks.append(deny)
    refuse_unknown(component, "cut", {"hwo": 1})
