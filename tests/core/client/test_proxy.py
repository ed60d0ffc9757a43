"""Remote methods as Python methods."""

from __future__ import annotations

import inspect
import pprint
import pydoc
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
from in_process import MakeRuntime

from pycom_core import (
    BadRequest,
    Context,
    MethodNotFound,
    ProxyComponent,
    ProxyContext,
    RemoteError,
    Request,
    ServiceNotAvailable,
    ServiceServer,
    interface,
    method,
)
from pycom_core.constants import AUTH_EXTENSION
from pycom_plugins.introspection.service import Service

IFACE = "com.foo.tools"


@interface(IFACE)
class Tools(Service):
    """Tools of every kind."""

    introspection_data: dict[str, Any] = {"since": 1}  # noqa: RUF012

    @method
    def nothing(self, request: Request) -> str:
        return "nothing"

    @method
    def cut(self, request: Request, what: Any, where: Any, how: Any = "well") -> Any:
        """Cut something."""
        return [what, where, how]

    @method(results=("one",))
    def single(self, request: Request, value: Any) -> Any:
        return value

    @method(results=("left", "right"))
    def both(self, request: Request) -> Any:
        return 1, 2

    @method(results=("class", "right"))
    def keyword(self, request: Request) -> Any:
        return 1, 2

    @method(attachments=("blob", None))
    def size(self, request: Request, blob: bytes, unit: str = "B") -> str:
        return f"{len(blob)} {unit}"

    @method(attachments=("blob", None))
    def perhaps(self, request: Request, blob: bytes = b"none") -> int:
        return len(blob)

    @method(results=("size", "blob"), attachments=("blob", "blob"))
    def mirror(self, request: Request, blob: bytes) -> Any:
        return len(blob), bytes(blob)[::-1]

    @method(results=("blob",), attachments=(None, "blob"))
    def only(self, request: Request) -> Any:
        return b"only"

    @method(results=("size", "blob"), attachments=(None, "blob"))
    def sometimes(self, request: Request, really: bool) -> Any:
        return (1, b"x") if really else (0, None)

    @method
    def raw(self, request: Request) -> Any:
        return request.response({"a": 1}, b"raw")

    @method
    def refuse(self, request: Request) -> None:
        raise RemoteError("teapot", code=42)

    @method
    def close(self, request: Request) -> str:
        return "closed remotely"

    @method
    def echo(self, request: Request) -> Any:
        return request.args

    @method("with-dash")
    def dashed(self, request: Request) -> str:
        return "dashed"


@pytest.fixture
def context(make_runtime: MakeRuntime) -> Iterator[ProxyContext]:
    runtime = make_runtime()
    ServiceServer(["local://tools"], [Tools()], runtime)
    context = ProxyContext(runtime=runtime)
    yield context
    context.close()


@pytest.fixture
def tools(context: ProxyContext) -> ProxyComponent:
    return context.connect("local://tools", IFACE)


# Arguments.


@pytest.mark.parametrize(
    ("call", "result"),
    [
        (lambda tools: tools.nothing(), "nothing"),
        (lambda tools: tools.cut(1, 2), [1, 2, "well"]),
        (lambda tools: tools.cut(1, where=2), [1, 2, "well"]),
        (lambda tools: tools.cut(where=2, what=1), [1, 2, "well"]),
        (lambda tools: tools.cut(1, 2, how="badly"), [1, 2, "badly"]),
        (lambda tools: tools.cut(what=None, where=[], how=None), [None, [], None]),
        (lambda tools: tools.size(b"abc"), "3 B"),
        (lambda tools: tools.size(blob=b"", unit="kB"), "0 kB"),
        (lambda tools: tools.perhaps(), 4),
        (lambda tools: tools.perhaps(blob=b"x"), 1),
        (lambda tools: getattr(tools, "with-dash")(), "dashed"),
        (lambda tools: tools.echo(any=1, thing=[2]), {"any": 1, "thing": [2]}),
    ],
)
def test_arguments(call: Callable[[Any], Any], result: Any, tools: ProxyComponent) -> None:
    assert call(tools) == result


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda tools: tools.cut(1, 2, 3),
            r"cut\(\) takes 2 positional arguments but 3 were given; by keyword it takes how",
        ),
        (lambda tools: tools.nothing(1), r"nothing\(\) takes 0 positional arguments but 1 was"),
        (
            lambda tools: tools.single(1, 2),
            r"single\(\) takes 1 positional argument but 2 were given$",
        ),
        (lambda tools: tools.perhaps(b"x"), r"perhaps\(\) takes 0 positional arguments"),
        (lambda tools: tools.cut(1), r"cut\(\) missing required argument 'where'"),
        (lambda tools: tools.cut(where=1), r"cut\(\) missing required argument 'what'"),
        (lambda tools: tools.cut(), r"cut\(\) missing required arguments 'what', 'where'"),
        (lambda tools: tools.size(), r"size\(\) missing required argument 'blob'"),
        (lambda tools: tools.cut(1, what=2), r"cut\(\) got multiple values for argument 'what'"),
        (
            lambda tools: tools.cut(1, 2, where=3),
            r"cut\(\) got multiple values for argument 'where",
        ),
        (
            lambda tools: tools.cut(1, 2, well=True),
            r"cut\(\) got an unexpected keyword argument 'well'; it takes what, where, how$",
        ),
        (lambda tools: tools.cut(wat=1), r"cut\(\) got an unexpected keyword argument 'wat'"),
        (
            lambda tools: tools.cut(1, 2, timeout=100),
            r"unexpected keyword argument 'timeout'.*with_timeout\(MS\)\.cut\(…\)",
        ),
        (
            lambda tools: tools.nothing(more=1),
            r"nothing\(\) got an unexpected keyword argument 'more'; it takes no arguments",
        ),
        (
            lambda tools: tools.size(b"", size=1),
            r"size\(\) got an unexpected keyword argument 'size'",
        ),
        (lambda tools: tools.with_timeout(5).cut(1, 2, well=1), "unexpected keyword argument"),
    ],
)
def test_mistakes_are_type_errors_and_nothing_is_called(
    call: Callable[[Any], Any], says: str, tools: ProxyComponent, context: ProxyContext
) -> None:
    called: list[Request] = []
    context.prehooks.append(lambda component, data: called.append(data))
    with pytest.raises(TypeError, match=says):
        call(tools)
    assert called == []


# Results.


def test_results(tools: Any) -> None:
    assert tools.single("x") == "x"
    assert tools.single({"one": 2}) == {"one": 2}
    both = tools.both()
    assert both == (1, 2)
    assert (both.left, both.right) == (1, 2)
    left, right = both
    assert (left, right) == (1, 2)
    assert tools.keyword() == (1, 2)
    assert tools.keyword().right == 2


def test_attachments_among_the_results(tools: Any) -> None:
    mirrored = tools.mirror(b"abc")
    assert (mirrored.size, mirrored.blob) == (3, b"cba")
    assert tools.only() == b"only"
    assert tools.raw() == ({"a": 1}, b"raw")
    assert tools.sometimes(really=True) == (1, b"x")
    assert tools.sometimes(really=False) == (0, None)


def test_errors(tools: Any) -> None:
    with pytest.raises(RemoteError, match="teapot") as caught:
        tools.refuse()
    assert caught.value.code == 42


# Attributes.


@pytest.mark.parametrize("name", ["missing", "_private", "__secret__", "Cut"])
def test_method_that_is_not_there(name: str, tools: ProxyComponent) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(tools, name)


def test_methods_have_names_and_docstrings(tools: ProxyComponent) -> None:
    assert tools.cut.__doc__ == "Cut something."
    assert tools.cut.__name__ == "cut"
    assert tools.nothing.__doc__ == "Remote method com.foo.tools.nothing."
    assert tools.cut is tools.cut
    assert {"cut", "with-dash", "introspect"} <= set(dir(tools))


def test_methods_have_signatures(tools: ProxyComponent) -> None:
    assert str(inspect.signature(tools.cut)) == "(what, where, *, how=…)"
    assert str(inspect.signature(tools.nothing)) == "() -> str"
    assert str(inspect.signature(tools.echo)) == "(**kwargs)"
    assert tools.cut.__annotations__ == {}
    assert tools.nothing.__annotations__ == {"return": str}
    assert "cut(what, where, *, how=…)" in pydoc.render_doc(tools.cut, renderer=pydoc.plaintext)


def test_introspect_is_a_method_like_any(tools: Any) -> None:
    found = tools.introspect()
    assert (found.name, found.docstring, found.data) == (
        IFACE,
        "Tools of every kind.",
        {"since": 1},
    )
    assert found.methods["cut"]["required_arguments"] == ["what", "where"]
    with pytest.raises(TypeError, match="'bogus'; it takes no arguments"):
        tools.introspect(bogus=1)


def test_names_of_the_component_where_the_interface_has_none(tools: Any) -> None:
    assert tools.name == IFACE
    assert tools.invoke("cut", {"what": 1, "where": 2}) == [1, 2, "well"]
    assert tools.invoke_with_request(Request(IFACE, "nothing")).result == "nothing"
    assert tools.close() == "closed remotely"
    with tools as same:
        assert same is tools
    with pytest.raises(MethodNotFound):
        tools.invoke("missing")
    assert repr(tools) == "<Proxy of <Client of com.foo.tools at local://tools>>"


def test_completion_finds_the_methods_and_the_names_of_the_component(tools: ProxyComponent) -> None:
    names = {"cut", "both", "invoke", "close", "name", "session_id", "with_timeout"}
    assert names <= set(dir(tools))


@pytest.mark.parametrize(
    "probe",
    [
        lambda tools: [getattr(tools, name, None) for name in PROBES],
        inspect.getmembers,
        inspect.unwrap,
        inspect.isawaitable,
        callable,
        pprint.pformat,
        pydoc.render_doc,
        lambda tools: mock.Mock(spec=tools),
        lambda tools: mock.create_autospec(tools, instance=True),
        lambda tools: [inspect.signature(getattr(tools, name)) for name in ("cut", "raw")],
    ],
    ids=[
        *("names", "members", "unwrap", "awaitable", "callable", "pprint", "help"),
        *("mock", "autospec", "signature"),
    ],
)
def test_probes_of_tools_never_call(
    probe: Callable[[Any], Any], tools: ProxyComponent, context: ProxyContext
) -> None:
    called: list[Request] = []
    context.prehooks.append(lambda component, data: called.append(data))
    probe(tools)
    assert called == []


PROBES = (
    *("_repr_html_", "_repr_mimebundle_", "_ipython_display_", "__rich_repr__", "__rich__"),
    *("_ipython_canary_method_should_not_exist_", "__wrapped__", "__signature__", "__len__"),
    *("__array__", "__iter__", "__await__", "__fspath__", "__html__", "__deepcopy__", "__dict__"),
    *("__getstate__", "__reduce_ex__", "_mock_methods", "_asdict", "shape", "keys", "assert_me"),
)


def test_stand_in_for_a_proxy_knows_its_methods(tools: ProxyComponent) -> None:
    double = mock.create_autospec(tools, instance=True)
    double.cut.return_value = "cut"
    assert double.cut(1, where=2) == "cut"
    with pytest.raises(TypeError, match="well"):
        double.cut(1, where=2, well=3)
    with mock.patch.object(tools, "cut", return_value="patched"):
        assert tools.cut() == "patched"
    with mock.patch.object(tools, "invoke", return_value="patched"):
        assert tools.invoke("cut") == "patched"


def test_proxy_of_an_interface_of_this_process() -> None:
    tools: Any = ProxyComponent(Tools.__interface__)  # type: ignore[arg-type]
    assert tools.cut(1, where=2) == [1, 2, "well"]
    assert tools.with_timeout(5).cut(1, 2) == [1, 2, "well"]
    with pytest.raises(TypeError, match="unexpected keyword argument 'well'"):
        tools.cut(1, 2, well=1)


# What a service says of itself.


def described(make_runtime: MakeRuntime, methods: Any) -> ProxyComponent:
    """A proxy of something that describes its methods so."""

    @interface("com.foo.strange")
    class Strange:
        @method
        def introspect(self, request: Request) -> Any:
            return {"name": "com.foo.strange", "methods": methods}

        @method
        def thing(self, request: Request) -> str:
            return "done"

    runtime = make_runtime()
    ServiceServer(["local://strange"], [Strange()], runtime)
    return ProxyContext(runtime=runtime).connect("local://strange", "com.foo.strange")


def test_more_than_is_known_may_be_said(make_runtime: MakeRuntime) -> None:
    thing = {
        "required_arguments": [],
        "optional_arguments": [],
        "results": [],
        "docstring": None,
        "attachments": {"incoming": None, "outgoing": None},
        "since": "tomorrow",
    }
    assert described(make_runtime, {"thing": thing}).thing() == "done"


@pytest.mark.parametrize("thing", [None, [], 1, {"required_arguments": 1}])
def test_description_that_is_none(thing: Any, make_runtime: MakeRuntime) -> None:
    with pytest.raises((ServiceNotAvailable, AttributeError)):
        described(make_runtime, {"thing": thing}).thing()


@pytest.mark.parametrize("methods", [None, [], "thing"])
def test_interface_that_does_not_say_its_methods(methods: Any, make_runtime: MakeRuntime) -> None:
    with pytest.raises(ServiceNotAvailable, match=r"com\.foo\.strange does not say"):
        described(make_runtime, methods)


def test_interface_that_cannot_be_introspected(make_runtime: MakeRuntime) -> None:
    @interface("com.foo.silent")
    class Silent:
        pass

    runtime = make_runtime()
    ServiceServer(["local://silent"], [Silent], runtime)
    with pytest.raises(MethodNotFound):
        ProxyContext(runtime=runtime).connect("local://silent", "com.foo.silent")


# Contexts.


def test_context_around_another(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    ServiceServer(["local://tools"], [Tools()], runtime)
    wrapped = Context("local://ns", runtime=runtime, timeout=77)
    context = ProxyContext(wrapped)
    assert (context.timeout, context.nameservers) == (77, ["local://ns"])
    assert context.prehooks is wrapped.prehooks
    wrapped.prehooks.append(lambda component, data: data.extensions.update(seen=1))
    assert context.connect("local://tools", IFACE).nothing() == "nothing"
    assert ProxyContext(context)._wrapped is wrapped
    wrapped.close()


def test_context_of_its_own(make_runtime: MakeRuntime) -> None:
    context = ProxyContext("local://ns", runtime=make_runtime(), timeout=5)
    assert (context.timeout, context.nameservers) == (5, ["local://ns"])
    with pytest.raises(AttributeError):
        context.nonsense  # noqa: B018


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("token", None),
        ("timeout", 70),
        ("views", True),
        ("deadline", 1.5),
        ("prehooks", []),
        ("nameservers", ["local://other"]),
        ("anything", "else"),
    ],
)
def test_what_is_set_reaches_the_wrapped_context(
    name: str, value: Any, make_runtime: MakeRuntime
) -> None:
    wrapped = Context(runtime=make_runtime())
    wrapped.token = "secret"
    context = ProxyContext(wrapped)
    setattr(context, name, value)
    assert getattr(wrapped, name) is getattr(context, name) is value
    assert set(context.__dict__) == {"_wrapped"}
    delattr(context, name)
    assert not hasattr(wrapped, name)


def test_token_that_is_taken_away_is_not_sent(context: ProxyContext) -> None:
    sent: list[Any] = []
    context.prehooks.append(lambda component, data: sent.append(dict(data.extensions)))
    tools = context.connect("local://tools", IFACE)
    context.token = "secret"
    tools.nothing()
    context.token = None
    tools.nothing()
    assert [AUTH_EXTENSION in extensions for extensions in sent[-2:]] == [True, False]


def test_context_to_wrap_takes_no_further_arguments(make_runtime: MakeRuntime) -> None:
    wrapped = Context(runtime=make_runtime())
    with pytest.raises(TypeError, match="timeout"):
        ProxyContext(wrapped, timeout=5)


def test_context_completes_as_the_one_that_it_wraps(context: ProxyContext) -> None:
    names = dir(context)
    assert {"locate", "token", "timeout", "authenticate", "prehooks"} <= set(names)
    assert len(names) == len(set(names))
    assert "nameserver" in inspect.signature(ProxyContext).parameters


def test_located_component_that_cannot_be_described_is_closed(
    make_runtime: MakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapped = Context(runtime=make_runtime())
    located, closed = wrapped.connect("local://nowhere", IFACE), []
    monkeypatch.setattr(located, "close", lambda: closed.append(located))
    monkeypatch.setattr(wrapped, "locate", lambda iface, service_name: located)
    with pytest.raises(ServiceNotAvailable):
        ProxyContext(wrapped).locate(IFACE)
    assert closed == [located]


def test_arguments_are_checked_by_the_service_too(tools: Any) -> None:
    with pytest.raises(BadRequest, match="'where' is required"):
        tools.invoke("cut", {"what": 1})
