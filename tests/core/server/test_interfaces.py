"""Interfaces and methods: their decorators, and the binding of arguments."""

from __future__ import annotations

import asyncio
import sys
import textwrap
import types
from collections.abc import Callable
from typing import Any

import pytest
from in_process import MakeRuntime, call

from pycom_core import (
    BadRequest,
    ConfigurationError,
    Context,
    Future,
    Interface,
    Method,
    MethodNotFound,
    Request,
    Response,
    ServiceServer,
    interface,
    method,
)


def info(function: Any) -> Method:
    """The `Method` of a function."""
    found: Method = function.__method__
    return found


# Arguments, as they are declared.


@pytest.mark.parametrize(
    ("function", "required", "optional"),
    [
        (lambda self, request: 0, [], []),
        (lambda self, request, a, b: 0, ["a", "b"], []),
        (lambda self, request, a, b=1: 0, ["a"], ["b"]),
        (lambda self, request, a=None: 0, [], ["a"]),
        (lambda self, request, a, *, b, c=1: 0, ["a", "b"], ["c"]),
        (lambda self, request, a, *rest, **more: 0, ["a"], []),
        (lambda self, request, a, b=1, /, c=2: 0, ["a"], ["b", "c"]),
    ],
)
def test_declared(function: Any, required: list[str], optional: list[str]) -> None:
    found = Method(function, "f")
    assert (found.required_arguments, found.optional_arguments) == (required, optional)


@interface("com.foo.bound")
class Bound:
    @method
    def nothing(self, request: Request) -> Any:
        return "nothing"

    @method
    def both(self, request: Request, a: Any, b: Any = "default") -> Any:
        return [a, b]

    @method
    def keyword(self, request: Request, a: Any, *, b: Any, c: Any, d: Any = 4) -> Any:
        return [a, b, c, d]

    @method
    def positional(self, request: Request, a: Any, b: Any = 2, /, c: Any = 3, *, d: Any) -> Any:
        return [a, b, c, d]

    @method
    def all_positional(self, request: Request, a: Any = 1, b: Any = 2, /) -> Any:
        return [a, b]

    @method(attachments=("blob", None))
    def positional_blob(self, request: Request, a: Any = 1, blob: Any = b"none", /) -> Any:
        return [a, bytes(blob).decode()]

    @method(attachments=("blob", None))
    def blob(self, request: Request, blob: bytes, a: Any = None) -> Any:
        return [bytes(blob).decode(), a]

    @method(attachments=("blob", None))
    def perhaps(self, request: Request, blob: bytes = b"none") -> Any:
        return bytes(blob).decode()

    @method(results=("one",))
    def one(self, request: Request, value: Any) -> Any:
        return value

    @method(results=("a", "b"))
    def two(self, request: Request, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @method(results=("a", "blob"), attachments=(None, "blob"))
    def out(self, request: Request, value: Any = b"blob") -> Any:
        return 1, value

    @method(results=("blob",), attachments=(None, "blob"))
    def only(self, request: Request) -> Any:
        return b"only"

    @method(results=("a", "b"))
    def response(self, request: Request) -> Any:
        return request.response((1, 2))

    @method(results=("a", "b"))
    def error(self, request: Request) -> Any:
        return request.error(42, "teapot")

    @method(results=("a", "b"))
    async def later(self, request: Request) -> Any:
        await asyncio.sleep(0)
        return 1, 2

    @method
    def promised(self, request: Request) -> Future:
        return Future(request)


def invoke(name: str, args: Any = None, attachment: bytes | None = None) -> Any:
    return Bound.__interface__.invoke(name, args, attachment=attachment)


@pytest.mark.parametrize(
    ("name", "args", "result"),
    [
        ("nothing", None, "nothing"),
        ("nothing", {"more": 1}, "nothing"),
        ("nothing", [1], "nothing"),
        ("nothing", "text", "nothing"),
        ("both", {"a": 1}, [1, "default"]),
        ("both", {"a": 1, "b": 2}, [1, 2]),
        ("both", {"b": None, "a": None}, [None, None]),
        ("both", {"a": 1, "c": 3, "request": 4, "self": 5}, [1, "default"]),
        ("keyword", {"c": 3, "b": 2, "a": 1}, [1, 2, 3, 4]),
        ("keyword", {"c": 3, "b": 2, "a": 1, "d": 5}, [1, 2, 3, 5]),
        ("positional", {"a": 1, "d": 4}, [1, 2, 3, 4]),
        ("positional", {"d": 8, "c": 7, "b": 6, "a": 5}, [5, 6, 7, 8]),
        ("all_positional", None, [1, 2]),
        ("all_positional", {"b": 3}, [1, 3]),
        ("all_positional", {"a": 3, "b": None}, [3, None]),
        ("positional_blob", {"blob": "not this"}, [1, "none"]),
        ("one", {"value": [1]}, {"one": [1]}),
        ("two", {"value": [1, 2]}, {"a": 1, "b": 2}),
        ("response", None, {"a": 1, "b": 2}),
        ("later", None, {"a": 1, "b": 2}),
        ("out", None, ({"a": 1}, b"blob")),
        ("out", {"value": None}, {"a": 1}),
        ("only", None, ({}, b"only")),
        ("perhaps", None, "none"),
    ],
)
def test_binding(name: str, args: Any, result: Any) -> None:
    assert invoke(name, args) == result


@pytest.mark.parametrize("name", ["both", "keyword"])
@pytest.mark.parametrize("args", [None, {}, {"b": 1}])
def test_required_argument_is_missing(name: str, args: Any) -> None:
    with pytest.raises(
        BadRequest, match=rf"Argument '[abc]' is required for com\.foo\.bound\.{name}"
    ):
        invoke(name, args)


@pytest.mark.parametrize("args", [[], [1, 2], "text", 1, True, 0])
def test_arguments_in_no_object(args: Any) -> None:
    with pytest.raises(
        BadRequest, match=r"Expected dictionary as argument for com\.foo\.bound\.both"
    ):
        invoke("both", args)


def test_attachments() -> None:
    assert invoke("blob", None, b"x") == ["x", None]
    assert invoke("blob", {"a": 1, "blob": "not this"}, b"") == ["", 1]
    assert invoke("perhaps", {"blob": "not this"}) == "none"
    assert invoke("perhaps", None, b"y") == "y"
    for args in (None, {}, {"blob": "not this"}):
        with pytest.raises(BadRequest, match="Attachment 'blob' is required"):
            invoke("blob", args)


@pytest.mark.parametrize("value", [1, "ab", [1], [1, 2, 3], {"a": 1, "b": 2}, None])
def test_results_that_are_not_what_was_declared(value: Any) -> None:
    with pytest.raises(RuntimeError, match=r"com\.foo\.bound\.two must return a tuple of 2: a, b"):
        invoke("two", {"value": value})


def test_error_has_no_results() -> None:
    response = Bound.__interface__.invoke_with_request(Request("com.foo.bound", "error"))
    assert (response.code, response.message, response.result) == (42, "teapot", None)


def test_promise_needs_a_server() -> None:
    with pytest.raises(RuntimeError, match="needs a server"):
        invoke("promised")


# Interfaces.


def test_interface_of_a_class() -> None:
    iface = Bound.__interface__
    assert isinstance(iface, Interface)
    assert (iface.name, iface.stateful, iface.authentication) == ("com.foo.bound", False, None)
    assert iface.methods["both"] is info(Bound.both)
    assert isinstance(iface.instance, Bound)
    assert iface.instance is iface.instance
    assert repr(iface) == "<Interface com.foo.bound of Bound>"


def test_instance_may_be_set() -> None:
    class Other(Bound):
        @method
        def nothing(self, request: Request) -> Any:
            return "other"

    decorated = interface("com.foo.other")(Other)
    iface = decorated.__interface__
    iface.instance = mine = decorated()
    assert iface.instance is mine
    assert iface.invoke("nothing") == "other"
    assert invoke("nothing") == "nothing"


def test_interface_of_an_object_is_its_own() -> None:
    one, two = Bound(), Bound()
    of_one = Bound.__interface__.of(one)
    of_two = Bound.__interface__.of(two)
    assert (of_one.instance, of_two.instance) == (one, two)
    of_one.register_method(method("more", body=lambda self, request: "more"))
    assert of_one.invoke("more") == "more"
    assert "more" not in of_two.methods
    assert "more" not in Bound.__interface__.methods


@pytest.mark.parametrize("name", ["", None])
def test_name_is_needed(name: Any) -> None:
    with pytest.raises(TypeError, match="needs a name"):
        interface(name)(type("Nameless", (), {}))


def test_authentication_that_is_none() -> None:
    with pytest.raises(ValueError, match="com.foo: authentication is 'maybe'; write \"required\""):
        interface("com.foo", authentication="maybe")(type("Wrong", (), {}))


@pytest.mark.parametrize("data", [[], "text", None, 1])
def test_introspection_data_that_is_no_dict(data: Any) -> None:
    wrong = type("Wrong", (), {"introspection_data": data})
    with pytest.raises(TypeError, match="introspection_data must be a dict"):
        interface("com.foo")(wrong)


def test_inherited_methods_are_there_and_may_be_replaced() -> None:
    class Base:
        @method
        def kept(self, request: Request) -> str:
            return "base"

        @method
        def changed(self, request: Request) -> str:
            return "base"

    @interface("com.foo.derived")
    class Derived(Base):
        @method
        def changed(self, request: Request) -> str:
            return "derived"

    iface = Derived.__interface__
    assert (iface.invoke("kept"), iface.invoke("changed")) == ("base", "derived")
    assert not hasattr(Base, "__interface__")


def test_register_method() -> None:
    @interface("com.foo.more")
    class More:
        pass

    iface = More.__interface__
    added = method("added", body=lambda self, request, a: [type(self).__name__, a])
    iface.register_method(added)
    iface.register_method(added)  # the same class again is not refused
    assert iface.invoke("added", {"a": 1}) == ["More", 1]
    with pytest.raises(
        RuntimeError, match="'added' is already registered for interface com.foo.more"
    ):
        iface.register_method(method("added", body=lambda self, request: 0))
    assert iface.methods == {"added": added}


def test_two_methods_of_one_name() -> None:
    class Twice:
        @method("same")
        def one(self, request: Request) -> None:
            pass

        @method("same")
        def two(self, request: Request) -> None:
            pass

    with pytest.raises(RuntimeError, match="'same' is already registered"):
        interface("com.foo.twice")(Twice)


def test_method_that_is_not_there() -> None:
    with pytest.raises(MethodNotFound, match="'missing' not found in interface com.foo.bound"):
        invoke("missing")


def test_session_of_local_calls() -> None:
    @interface("com.foo.counting", stateful=True)
    class Counting:
        @method
        def count(self, request: Request) -> int:
            request.session["n"] = request.session.get("n", 0) + 1
            count: int = request.session["n"]
            return count

    iface = Counting.__interface__
    assert [iface.invoke("count"), iface.invoke("count")] == [1, 2]
    assert iface.of(Counting()).invoke("count") == 1
    assert iface.session_id == "local"
    iface.session_id = "another"
    assert (iface.invoke("count"), iface.session_id) == (1, "another")
    iface.session_id = None
    assert (iface.invoke("count"), iface.session_id) == (1, "local")
    assert Bound.__interface__.session_id is None  # type: ignore[attr-defined]


def test_calls_in_place_have_no_timeout() -> None:
    iface = Bound.__interface__  # type: ignore[attr-defined]
    assert iface.with_timeout(5) is iface
    with pytest.raises(ValueError, match="nan"):
        iface.with_timeout(float("nan"))


# Methods.


def hooked(hook: Callable[..., Any], kind: str = "prehooks") -> Interface:
    """An interface whose only method returns its arguments, and has this hook."""

    @interface("com.foo.hooked")
    class Hooked:
        @method
        def echo(self, request: Request) -> Any:
            return request.args

    getattr(info(Hooked.echo), kind).append(hook)
    return Hooked.__interface__


def test_hook_of_a_method_that_returns_none_leaves_the_data() -> None:
    seen: list[Any] = []
    iface = hooked(lambda *data: seen.append(data))
    assert iface.invoke("echo", {"a": 1}) == {"a": 1}
    [(hook_iface, hook_method, request)] = seen
    assert (hook_iface, hook_method) == (iface, iface.methods["echo"])
    assert (request.interface, request.method, request.args) == ("com.foo.hooked", "echo", {"a": 1})


def test_hook_of_a_method_that_returns_an_object_replaces_the_data() -> None:
    before = hooked(lambda i, m, data: Request(data.interface, data.method, args="replaced"))
    assert before.invoke("echo", 1) == "replaced"
    after = hooked(lambda i, m, data: Response(data.request, [data.result]), "posthooks")
    assert after.invoke("echo", 1) == [1]


def test_prehook_that_replaces_is_of_the_same_call() -> None:
    def hook(iface: Interface, found: Method, data: Request) -> Request:
        return Request(data.interface, data.method, args="new")

    iface = hooked(hook)
    sent = Request("com.foo.hooked", "echo")
    sent.deadline = 1e12
    response = iface.invoke_with_request(sent)
    assert response.request is not sent
    assert response.request is not None
    assert response.request.deadline == 1e12


def test_hooks_run_in_the_order_of_their_list() -> None:
    seen: list[int] = []
    iface = hooked(lambda *_: seen.append(1))
    iface.methods["echo"].prehooks.append(lambda *_: seen.append(2))
    iface.invoke("echo")
    assert seen == [1, 2]


def test_hook_that_raises_refuses() -> None:
    def hook(*_: Any) -> None:
        raise BadRequest("no")

    for kind in ("prehooks", "posthooks"):
        with pytest.raises(BadRequest, match="no"):
            hooked(hook, kind).invoke("echo")


def test_post_configure_is_called_once_with_the_interface_complete() -> None:
    told: list[Any] = []

    class Told(Method):
        def post_configure(self, owner_iface: Interface) -> None:
            told.append((self.name, owner_iface.name, sorted(owner_iface.methods)))

    @interface("com.foo.told")
    class Service:
        @method(method_factory=Told)
        def one(self, request: Request) -> None:
            pass

        @method
        def two(self, request: Request) -> None:
            pass

    assert told == [("one", "com.foo.told", ["one", "two"])]
    assert Service.__interface__.of(Service()).methods.keys() == {"one", "two"}


# In a server.


def test_server_refuses_what_provides_nothing(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    for provider in (object(), type("Nothing", (), {}), "text"):
        with pytest.raises(ConfigurationError, match="provides no interface; decorate its class"):
            ServiceServer(["local://a"], [provider], runtime)
    assert runtime.servers == []


def test_server_refuses_one_name_twice(make_runtime: MakeRuntime) -> None:
    @interface("com.foo.bound")
    class Other:
        pass

    with pytest.raises(
        ConfigurationError, match=r"com\.foo\.bound is provided twice: by .*Bound.*Other"
    ):
        ServiceServer(["local://a"], [Bound, Other], make_runtime())


def test_class_object_and_interface_are_provided(make_runtime: MakeRuntime) -> None:
    mine = Bound()
    for provider, instance in (
        (Bound, Bound.__interface__.instance),
        (mine, mine),
        (Bound.__interface__.of(mine), mine),
    ):
        server = ServiceServer(["local://a"], [provider], make_runtime())
        assert server.interfaces["com.foo.bound"].instance is instance
        assert call(server, "com.foo.bound", "both", {"a": 1})["result"] == [1, "default"]
        server.close()


def test_class_that_cannot_be_made_stops_the_start(make_runtime: MakeRuntime) -> None:
    @interface("com.foo.unmade")
    class Unmade:
        def __init__(self) -> None:
            raise KeyError("no")

    runtime = make_runtime()
    with pytest.raises(KeyError, match="no"):
        ServiceServer(["local://a"], [Unmade], runtime)
    assert runtime.servers == []
    ServiceServer(["local://a"], (), runtime)


def test_long_names_are_cut_in_errors(make_runtime: MakeRuntime) -> None:
    server = ServiceServer(["local://a"], [Bound], make_runtime())
    assert len(call(server, "x" * 10_000, "both")["error"]) < 1000
    assert len(call(server, "com.foo.bound", "x" * 10_000)["error"]) < 1000


def test_method_registered_while_a_server_provides_the_interface(
    make_runtime: MakeRuntime,
) -> None:
    provided = interface("com.foo.growing")(type("Growing", (), {}))
    runtime = make_runtime()
    ServiceServer(["local://growing"], [provided], runtime)
    component = Context(runtime=runtime).connect("local://growing", "com.foo.growing")
    with pytest.raises(MethodNotFound):
        component.invoke("late")
    added = method("late", body=lambda self, request: "here")
    provided.__interface__.register_method(added)  # type: ignore[attr-defined]
    assert component.invoke("late") == "here"


# Two of one name.


def loaded(source: str, module: types.ModuleType) -> None:
    exec(textwrap.dedent(source), vars(module))


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    made = types.ModuleType("module_of_namesakes")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


PROVIDER = """
import pycom

@pycom.interface("com.foo.one")
class {name}:
    @pycom.method
    def f(self, request): pass
"""


def test_two_classes_of_a_module_with_one_interface(module: types.ModuleType) -> None:
    loaded(PROVIDER.format(name="One"), module)
    with pytest.raises(
        RuntimeError, match=r"Interface com\.foo\.one of Other is provided by One already"
    ):
        loaded(PROVIDER.format(name="Other"), module)


def test_a_class_may_be_loaded_again(module: types.ModuleType) -> None:
    for _ in range(2):
        loaded(PROVIDER.format(name="One"), module)
    assert module.One.__interface__.name == "com.foo.one"


def test_modules_apart_may_each_have_one(
    module: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded(PROVIDER.format(name="One"), module)
    other = types.ModuleType("module_of_doubles")
    monkeypatch.setitem(sys.modules, other.__name__, other)
    other.One = module.One  # type: ignore[attr-defined]
    loaded(PROVIDER.format(name="Double"), other)
