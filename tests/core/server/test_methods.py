"""Methods: what they declare, how arguments are bound, and their own hooks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pycom_core import (
    BadRequest,
    Future,
    Interface,
    Method,
    Request,
    Response,
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
