"""Methods keep to their annotations."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_process import MakeRuntime, call
from plugins.typed_methods.store import NAME, Item, Store

import pycom
from pycom_core import LocalTransport, Method, Request, Runtime, ServiceServer, Settings, hookimpl
from pycom_plugins.typed_methods.contracts import apply_contracts, typed

TEA = {"name": "tea", "price": 3}
FULL_TEA = {"name": "tea", "price": 3.0, "color": "red", "parts": []}
TIMES = {"at": "2026-11-01T12:00:00Z", "day": "2026-11-01", "hour": "12:00:00", "long": "PT60S"}
VALUES = {
    "id": "12345678-1234-5678-1234-567812345678",
    "amount": "1.50",
    "blob": "aGk=",
    "numbers": [2, 1, 1],
    "word": "yes",
    "counts": {"1": [2]},
}
SEVERAL = {
    "box": {"width": 1, "tags": ["a"]},
    "point": [1],
    "size": {"height": 2},
    "message": {"from": "me"},
}


@pytest.fixture
def server(make_runtime: MakeRuntime) -> ServiceServer:
    return ServiceServer(["local://store"], [Store], make_runtime())


ACCEPTED: list[tuple[str, Any, Any]] = [
    ("items", {"items": []}, []),
    ("items", {"items": [TEA, {**TEA, "color": "blue", "parts": [TEA], "unknown": 1}]}, [
        FULL_TEA, {**FULL_TEA, "color": "blue", "parts": [FULL_TEA]}
    ]),
    ("several", SEVERAL, [{"width": 1, "tags": ["a"]}, [1, 0], {"height": 2.0}, {"from": "me"}]),
    ("times", TIMES, [*TIMES.values(), ["datetime", "date", "time", "timedelta"]]),
    ("values", VALUES, [
        VALUES["id"], "1.50", "aGk=", [1, 2], "yes", {"1": [2]},
        ["UUID", "Decimal", "bytes", "frozenset", "str"],
    ]),
    ("either", {"value": None}, "NoneType"),
    ("either", {"value": 10**30}, "int"),
    ("either", {"value": ["a"]}, "list"),
    ("either", {"value": TEA}, "Item"),
    ("pet", {"pet": {"type": "Dog", "tricks": []}}, "Dog"),
    ("limits", {}, [1, ""]),
    ("limits", {"count": 9, "word": "abc"}, [9, "abc"]),
    ("prices", {"prices": {"tea": 3}}, {"tea": 3.0}),
    ("number", {"whole": 3, "part": 3}, [3, 3.0, "float"]),
    ("number", None, [0, 0.0, "float"]),
    ("partly", {"free": {"a": [1]}, "count": 1}, [{"a": [1]}, 1, None, "z"]),
    ("partly", {"free": None, "count": 1, "rest": "x", "last": "y"}, [None, 1, "x", "y"]),
    ("keywords", {"b": 2}, [1, 2]),
    ("keywords", {"a": 3, "b": 2, "c": "ignored"}, [3, 2]),
    ("defaults", {}, [None, [7], True]),
    ("defaults", {"count": 1, "items": []}, [1, [], False]),
    ("later", {"item": TEA}, FULL_TEA),
    ("one", {}, {"one": FULL_TEA}),
    ("by-another.name", {"value": 1}, 1),
    ("list", {"list": [1]}, [1]),
    ("raw", {"item": TEA, "more": 1}, {"item": TEA, "more": 1}),
    ("anything", {"value": [{}]}, [{}]),
    ("plain", {"value": [{}]}, [{}]),
    ("nothing", [1, 2], [1, 2]),
]  # fmt: skip


@pytest.mark.parametrize(("method", "args", "result"), ACCEPTED)
def test_accepted(server: ServiceServer, method: str, args: Any, result: Any) -> None:
    assert call(server, NAME, method, args) == {"code": 0, "result": result}


REFUSED: list[tuple[str, Any, str]] = [
    ("items", {"items": [TEA] * 3 + [{**TEA, "price": ""}]}, "args.items[3].price: expected float"),
    ("items", {"items": [{**TEA, "parts": [3]}]}, "args.items[0].parts[0]: expected object"),
    ("items", {"items": [{"name": "tea"}]}, "args.items[0].price: missing"),
    ("items", {"items": [{**TEA, "color": ""}]}, "args.items[0].color: Invalid enum value ''"),
    ("items", {"items": [{**TEA, "price": 1000}]}, "args.items[0]: 'price' must be < 1000: 1000.0"),
    ("items", {"items": [{**TEA, "price": 10**400}]}, "args.items[0].price: Number out of range"),
    ("items", {"items": TEA}, "args.items: expected array"),
    ("items", {"items": None}, "args.items: expected array"),
    ("items", {}, "Argument 'items' is required for com.foo.store.items"),
    ("items", None, "Argument 'items' is required for com.foo.store.items"),
    ("items", [TEA], "Expected dictionary as argument for com.foo.store.items"),
    ("several", {**SEVERAL, "box": {"width": 13}}, "args.box: 13 brings bad luck"),
    ("several", {**SEVERAL, "point": [1, 2, 3]}, "args.point: expected array of length 1 to 2"),
    ("several", {**SEVERAL, "size": {}}, "args.size.height: missing"),
    ("several", {**SEVERAL, "message": {"sender": "me"}}, "args.message.from: missing"),
    ("times", {**TIMES, "at": "noon"}, "args.at: Invalid RFC3339 encoded datetime"),
    ("times", {**TIMES, "at": "\ud800"}, "args: a text holds half a character, a lone surrogate"),
    ("values", {**VALUES, "id": "x"}, "args.id: Invalid UUID"),
    ("values", {**VALUES, "amount": "much"}, "args.amount: Invalid decimal string"),
    ("values", {**VALUES, "blob": "x"}, "args.blob: Invalid base64 encoded string"),
    ("values", {**VALUES, "numbers": [1, 1.0]}, "args.numbers[1]: expected int"),
    ("values", {**VALUES, "word": "maybe"}, "args.word: Invalid enum value 'maybe'"),
    ("values", {**VALUES, "counts": {"one": []}}, "key in args.counts: expected int"),
    ("values", {**VALUES, "counts": {"1": ["2"]}}, "args.counts[...][0]: expected int"),
    ("either", {"value": "text"}, "args.value: expected int | object | array | null"),
    ("pet", {"pet": {"type": "Cow"}}, "args.pet.type: Invalid value 'Cow'"),
    ("pet", {"pet": {"type": "Dog", "tricks": [], "lives": 9}}, "args.pet.lives: unknown"),
    ("limits", {"count": 0}, "args.count: expected int >= 1"),
    ("limits", {"word": "abcd"}, "args.word: expected str of length <= 3"),
    ("limits", {"word": "A"}, "args.word: expected str matching regex '^[a-z]*$'"),
    ("prices", {"prices": {"tea": "3"}}, "args.prices[...]: expected float"),
    ("number", {"whole": "3"}, "args.whole: expected int"),
    ("number", {"whole": 3.0}, "args.whole: expected int"),
    ("number", {"whole": True}, "args.whole: expected int"),
    ("number", {"part": "3.0"}, "args.part: expected float"),
    ("partly", {"free": None, "count": "1"}, "args.count: expected int"),
    ("partly", {"count": "1"}, "Argument 'free' is required for com.foo.store.partly"),
    ("keywords", {"a": 1}, "Argument 'b' is required for com.foo.store.keywords"),
    ("defaults", {"count": None}, "args.count: expected int"),
    ("later", {"item": 3}, "args.item: expected object"),
    ("by-another.name", {"value": None}, "args.value: expected int"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "args", "error"), REFUSED)
def test_refused(server: ServiceServer, method: str, args: Any, error: str) -> None:
    assert call(server, NAME, method, args) == {"code": 4, "error": error}


def test_attachment_is_bytes_and_no_argument(server: ServiceServer) -> None:
    def mirror(args: Any, attachment: bytes | None = None) -> dict[str, Any]:
        return call(server, NAME, "mirror", args, attachment)

    assert mirror({"times": 2, "image": "ignored"}, b"abc")["result"] == {"size": 6}
    assert mirror({"times": "2"}, b"abc")["error"] == "args.times: expected int"
    missing = "Attachment 'image' is required for com.foo.store.mirror"
    assert mirror({"times": 2, "image": "ignored"})["error"] == missing
    assert call(server, NAME, "maybe", {"times": 2}, b"ab")["result"] == "abab"
    assert call(server, NAME, "maybe", {})["result"] == "none"
    assert call(server, NAME, "maybe", {"times": None}, b"ab")["code"] == 4


def test_result_that_cannot_be_encoded(
    server: ServiceServer, caplog: pytest.LogCaptureFixture
) -> None:
    answer = call(server, NAME, "unencodable")
    assert answer == {"code": 1, "error": "Unknown error during request"}
    assert "com.foo.store.unencodable returned what cannot be sent" in caplog.text
    assert caplog.records[-1].levelno == logging.ERROR


def test_half_characters_come_back_in_classes(server: ServiceServer) -> None:
    answer = call(server, NAME, "items", {"items": [{**TEA, "name": "\ud800"}]})
    assert answer["result"] == [{**FULL_TEA, "name": "\ud800"}]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.fixed_dictionaries({"name": st.text(max_size=3), "price": inner, "parts": inner})
    ),
    max_leaves=8,
)
RUNTIME = Runtime(Settings(), transport=LocalTransport())
METHODS = sorted(set(Store.__interface__.methods) - {"unencodable", "introspect"})  # type: ignore[attr-defined]


@given(st.data(), st.sampled_from(METHODS))
def test_any_json_gets_a_result_or_is_a_bad_request(data: Any, method: str) -> None:
    server = ServiceServer([], [Store], RUNTIME)
    try:
        info = server.interfaces[NAME].methods[method]
        names = [*info.required_arguments, *info.optional_arguments]
        args = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(names, JSON)) | JSON)
        assert call(server, NAME, method, args)["code"] in (0, 4)
    finally:
        server.close()


def test_json_that_is_nested_too_deep(server: ServiceServer) -> None:
    item: Any = TEA
    for _ in range(450):
        item = {**TEA, "parts": [item]}
    assert call(server, NAME, "items", {"items": [item]})["code"] in (0, 4)


# Which methods, on which servers.


def test_methods_without_a_contract_are_as_they_were(server: ServiceServer) -> None:
    ours, shared = server.interfaces[NAME].methods, Store.__interface__.methods  # type: ignore[attr-defined]
    assert {name for name in shared if ours[name] is shared[name]} == {
        "anything", "introspect", "plain"
    }  # fmt: skip
    # These have nothing to check, and only say what they answer.
    copied = {name for name in ours if ours[name] is not shared[name]}
    assert {name for name in copied if "run" not in vars(ours[name])} == {
        "nothing", "one", "unencodable"
    }  # fmt: skip


def test_contracts_are_of_the_server(make_runtime: MakeRuntime) -> None:
    wrong = (NAME, "by-another.name", {"value": "text"})
    checking = ServiceServer(["local://checking"], [Store], make_runtime())
    free = ServiceServer(["local://free"], [Store], make_runtime(disable=("typed_methods",)))
    again = ServiceServer(["local://again"], [Store, Store], make_runtime())
    assert [call(server, *wrong)["code"] for server in (checking, free, again)] == [4, 0, 4]
    for server, has_schema in ((checking, True), (free, False)):
        methods = call(server, NAME, "introspect")["result"]["methods"]
        assert ("schema" in methods["items"]) == has_schema
        assert "schema" not in methods["plain"]


def test_contracts_of_contracts_change_nothing(server: ServiceServer) -> None:
    iface = server.interfaces[NAME]
    before = call(server, NAME, "introspect")
    apply_contracts(iface, server.runtime.types)
    assert call(server, NAME, "introspect") == before
    assert call(server, NAME, "items", {"items": [TEA]})["result"] == [FULL_TEA]


def test_server_with_threads(make_runtime: MakeRuntime) -> None:
    server = ServiceServer(["local://store"], [Store()], make_runtime(threads=2))
    assert call(server, NAME, "items", {"items": [TEA]})["result"] == [FULL_TEA]
    assert call(server, NAME, "items", {"items": 3})["code"] == 4


def test_methods_of_other_plugins_are_checked(make_runtime: MakeRuntime) -> None:
    class Added:
        @hookimpl
        def pycom_provide(self, iface: Any) -> None:
            def double(instance: Any, request: Request, value: int) -> int:
                return value * 2

            iface.register_method(pycom.method("double", body=double))

    server = ServiceServer(["local://store"], [Store], make_runtime({"zzz": Added()}))
    assert call(server, NAME, "double", {"value": 2})["result"] == 4
    assert call(server, NAME, "double", {"value": "2"})["code"] == 4


class Own(Method):
    """Binds its arguments itself."""

    def run(self, iface: Any, request: Request) -> Any:
        return request.args


class Around(Method):
    """Does something around the call."""

    def call(self, iface: Any, request: Request) -> Any:
        request.args = {"value": request.args["text"]}
        return super().call(iface, request)


@pycom.interface("com.foo.factories")
class Factories(pycom.Service):
    @pycom.method(method_factory=Own)
    def own(self, request: Any, value: int) -> int:
        raise AssertionError

    @pycom.method(method_factory=Around)
    def around(self, request: Any, value: int) -> int:
        return value


def test_methods_of_own_kinds(make_runtime: MakeRuntime) -> None:
    server = ServiceServer(["local://a"], [Factories], make_runtime())
    assert call(server, "com.foo.factories", "own", {"value": "x"})["result"] == {"value": "x"}
    assert call(server, "com.foo.factories", "around", {"text": 3})["result"] == 3
    wrong = call(server, "com.foo.factories", "around", {"text": "x"})
    assert wrong["error"] == "args.value: expected int"


def test_hooks_see_json_and_what_they_change_is_checked(make_runtime: MakeRuntime) -> None:
    seen: list[Any] = []

    def mend(iface: Any, method: Any, request: Request) -> None:
        seen.append(request.args["value"])
        request.args["value"] = {"count": 1, **request.args["value"]}

    @pycom.interface("com.foo.hooked")
    class Hooked(pycom.Service):
        @pycom.method
        def hooked(self, request: Any, value: dict[str, int]) -> Any:
            return value

    Hooked.hooked.__method__.prehooks.append(mend)  # type: ignore[attr-defined]
    server = ServiceServer(["local://a"], [Hooked], make_runtime())
    assert call(server, "com.foo.hooked", "hooked", {"value": {}})["result"] == {"count": 1}
    wrong = call(server, "com.foo.hooked", "hooked", {"value": {"count": "1"}})
    assert wrong["error"] == "args.value[...]: expected int"
    assert seen == [{}, {"count": "1"}]


def test_in_place() -> None:
    for provider in (Store, Store()):
        store = typed(provider)
        assert store.invoke("items", {"items": [TEA]}) == [Item("tea", 3.0)]
        with pytest.raises(pycom.BadRequest, match=r"args\.items: expected array"):
            store.invoke("items", {"items": 3})
    assert store.instance is provider
    plain = Store.__interface__.invoke("raw", {"item": 3})  # type: ignore[attr-defined]
    assert plain == {"item": 3}


# Contracts that are none stop the start.


class Odd:
    """JSON knows nothing of it."""


BROKEN: dict[str, tuple[Any, str]] = {
    "unknown name": ("NoSuchName", "name 'NoSuchName' is not defined"),
    "unknown name within": (list["NoSuchName"], "NoSuchName"),  # type: ignore[name-defined]  # noqa: F821
    "no expression": ("list[", "Forward reference must be an expression"),
    "no type": ("3 + 'a'", "unsupported operand"),
    "two objects": (dict[str, int] | Item, "may not contain more than one dict-like type"),
    "two texts": (str | bytes, "may not contain more than one str-like type"),
    "class that JSON does not know": (Odd, "Odd'> is nothing that JSON knows"),
    "within another": (list[Odd], "Odd'> is nothing that JSON knows"),
}


@pytest.mark.parametrize(("annotation", "reason"), BROKEN.values(), ids=BROKEN)
def test_broken_contract_stops_the_start(
    make_runtime: MakeRuntime, annotation: Any, reason: str
) -> None:
    def broken(self: Any, request: Any, value: Any) -> None:
        pass

    broken.__annotations__["value"] = annotation
    provider = pycom.interface("com.foo.broken")(type("Broken", (), {"f": pycom.method(broken)}))
    with pytest.raises(pycom.ConfigurationError) as caught:
        ServiceServer(["local://a"], [provider], make_runtime())
    assert "com.foo.broken.broken" in str(caught.value)
    assert "argument 'value'" in str(caught.value)
    assert reason in str(caught.value)
    assert "PluginError" not in type(caught.value).__name__
    ServiceServer(["local://b"], [provider], make_runtime(disable=("typed_methods",)))


def test_result_that_cannot_be_resolved_stops_the_start(make_runtime: MakeRuntime) -> None:
    @pycom.interface("com.foo.broken")
    class Broken:
        @pycom.method
        def broken(self, request: Any) -> NoSuchName:  # type: ignore[name-defined]  # noqa: F821
            pass

    with pytest.raises(pycom.ConfigurationError, match=r"broken\.broken.* of the result"):
        ServiceServer(["local://a"], [Broken], make_runtime())


# Our own services.


def test_our_services_answer_as_ever(make_runtime: MakeRuntime) -> None:
    from pycom.apps.demo import Demo
    from pycom.apps.nameserver import NameServer

    server = ServiceServer(["local://a"], [NameServer, Demo], make_runtime())
    demo, names = Demo.__interface__.name, NameServer.__interface__.name
    assert call(server, demo, "echo", [1, "2"])["result"] == [1, "2"]
    assert call(server, demo, "throw", 3)["code"] == 1
    record = {"address": "tcp://127.0.0.1:1", "service": "/a", "interfaces": ["a"]}
    for change in ({"address": 1}, {"service": None}, {"interfaces": "a"}, {"interfaces": [1]}):
        assert call(server, names, "register", {**record, **change})["code"] == 4
    assert call(server, names, "register", {**record, "metadata": None})["result"] == {}
    assert call(server, names, "locate", {"interface": 1})["code"] == 4
    assert call(server, names, "locate", {"interface": "b", "service": None})["code"] == 3
    assert call(server, names, "list_services", {"interface": None})["result"]
