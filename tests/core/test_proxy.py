"""Remote methods as Python methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

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
        (lambda tools: tools.nothing(more=1), "nothing"),
        (lambda tools: tools.size(b"abc"), "3 B"),
        (lambda tools: tools.size(blob=b"", unit="kB"), "0 kB"),
        (lambda tools: tools.perhaps(), 4),
        (lambda tools: tools.perhaps(blob=b"x"), 1),
        (lambda tools: getattr(tools, "with-dash")(), "dashed"),
    ],
)
def test_arguments(call: Callable[[Any], Any], result: Any, tools: ProxyComponent) -> None:
    assert call(tools) == result


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda tools: tools.cut(1, 2, 3),
            r"cut\(\) takes 2 positional arguments, but 3 were given",
        ),
        (lambda tools: tools.nothing(1), r"nothing\(\) takes 0 positional arguments, but 1 were"),
        (lambda tools: tools.perhaps(b"x"), r"perhaps\(\) takes 0 positional arguments"),
        (lambda tools: tools.cut(1), r"cut\(\) misses the required argument 'where'"),
        (lambda tools: tools.cut(where=1), r"cut\(\) misses the required argument 'what'"),
        (lambda tools: tools.cut(), r"cut\(\) misses the required argument 'what'"),
        (lambda tools: tools.size(), r"size\(\) misses the required argument 'blob'"),
        (lambda tools: tools.cut(1, what=2), r"cut\(\) got multiple values for argument 'what'"),
        (
            lambda tools: tools.cut(1, 2, where=3),
            r"cut\(\) got multiple values for argument 'where",
        ),
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


def test_introspect_is_a_method_like_any(tools: Any) -> None:
    found = tools.introspect()
    assert (found.name, found.docstring, found.data) == (
        IFACE,
        "Tools of every kind.",
        {"since": 1},
    )
    assert found.methods["cut"]["required_arguments"] == ["what", "where"]


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


@pytest.mark.parametrize("thing", [{}, None, [], 1, {"required_arguments": 1}])
def test_description_that_is_none(thing: Any, make_runtime: MakeRuntime) -> None:
    with pytest.raises((ServiceNotAvailable, AttributeError)):
        described(make_runtime, {"thing": thing}).thing()


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
    wrapped.close()


def test_context_of_its_own(make_runtime: MakeRuntime) -> None:
    context = ProxyContext("local://ns", runtime=make_runtime(), timeout=5)
    assert (context.timeout, context.nameservers) == (5, ["local://ns"])
    with pytest.raises(AttributeError):
        context.nonsense  # noqa: B018


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
