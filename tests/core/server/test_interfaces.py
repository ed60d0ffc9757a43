"""Interfaces: what the decorator makes of a class, and what a server does with it."""

from __future__ import annotations

from typing import Any

import pytest
from in_process import MakeRuntime, call

from pycom_core import (
    ConfigurationError,
    Context,
    Interface,
    MethodNotFound,
    Request,
    ServiceServer,
    interface,
    method,
)


@interface("com.foo.small")
class Small:
    @method
    def nothing(self, request: Request) -> Any:
        return "nothing"

    @method
    def both(self, request: Request, a: Any, b: Any = "default") -> Any:
        return [a, b]


def test_interface_of_a_class() -> None:
    iface = Small.__interface__
    assert isinstance(iface, Interface)
    assert (iface.name, iface.stateful, iface.authentication) == ("com.foo.small", False, None)
    assert iface.methods["both"] is Small.both.__method__
    assert isinstance(iface.instance, Small)
    assert iface.instance is iface.instance
    assert repr(iface) == "<Interface com.foo.small of Small>"


def test_instance_may_be_set() -> None:
    class Other(Small):
        @method
        def nothing(self, request: Request) -> Any:
            return "other"

    decorated = interface("com.foo.other")(Other)
    iface = decorated.__interface__
    iface.instance = mine = decorated()
    assert iface.instance is mine
    assert iface.invoke("nothing") == "other"
    assert Small.__interface__.invoke("nothing") == "nothing"  # type: ignore[attr-defined]


def test_interface_of_an_object_is_its_own() -> None:
    one, two = Small(), Small()
    of_one = Small.__interface__.of(one)
    of_two = Small.__interface__.of(two)
    assert (of_one.instance, of_two.instance) == (one, two)
    of_one.register_method(method("more", body=lambda self, request: "more"))
    assert of_one.invoke("more") == "more"
    assert "more" not in of_two.methods
    assert "more" not in Small.__interface__.methods


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
    with pytest.raises(MethodNotFound, match="'missing' not found in interface com.foo.small"):
        Small.__interface__.invoke("missing")  # type: ignore[attr-defined]


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
    assert Small.__interface__.session_id is None  # type: ignore[attr-defined]


def test_calls_in_place_have_no_timeout() -> None:
    iface = Small.__interface__  # type: ignore[attr-defined]
    assert iface.with_timeout(5) is iface
    with pytest.raises(ValueError, match="nan"):
        iface.with_timeout(float("nan"))


# In a server.


def test_server_refuses_what_provides_nothing(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    for provider in (object(), type("Nothing", (), {}), "text"):
        with pytest.raises(ConfigurationError, match="provides no interface; decorate its class"):
            ServiceServer(["local://a"], [provider], runtime)
    assert runtime.servers == []


def test_server_refuses_one_name_twice(make_runtime: MakeRuntime) -> None:
    @interface("com.foo.small")
    class Other:
        pass

    with pytest.raises(
        ConfigurationError, match=r"com\.foo\.small is provided twice: by .*Small.*Other"
    ):
        ServiceServer(["local://a"], [Small, Other], make_runtime())


def test_class_object_and_interface_are_provided(make_runtime: MakeRuntime) -> None:
    mine = Small()
    for provider, instance in (
        (Small, Small.__interface__.instance),
        (mine, mine),
        (Small.__interface__.of(mine), mine),
    ):
        server = ServiceServer(["local://a"], [provider], make_runtime())
        assert server.interfaces["com.foo.small"].instance is instance
        assert call(server, "com.foo.small", "both", {"a": 1})["result"] == [1, "default"]
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
    server = ServiceServer(["local://a"], [Small], make_runtime())
    assert len(call(server, "x" * 10_000, "both")["error"]) < 1000
    assert len(call(server, "com.foo.small", "x" * 10_000)["error"]) < 1000


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
