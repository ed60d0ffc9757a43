"""Contexts: finding services, and calling as somebody."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from doubles import SHOP as IFACE
from doubles import Authenticator, Directory, OldDirectory, Shop, record
from in_process import MakeRuntime, running

from pycom_core import (
    AccessDenied,
    ConfigurationError,
    Context,
    DeadlineExceeded,
    RemoteError,
    Request,
    Runtime,
    ServiceNotAvailable,
    ServiceNotFound,
    ServiceServer,
    constants,
    hookimpl,
    interface,
    method,
)
from pycom_core.records import ServiceRecord

Names = Callable[..., Directory]


@pytest.fixture
def serve(make_runtime: MakeRuntime) -> Callable[..., ServiceServer]:
    """Serves an object in a runtime of its own."""
    return lambda address, provider: ServiceServer([address], [provider], make_runtime())


@pytest.fixture
def context(make_runtime: MakeRuntime) -> Iterator[Callable[..., Context]]:
    """Makes contexts in one runtime, which end with the test."""
    made: list[Context] = []

    def make(*args: Any, plugins: Any = None, **kwargs: Any) -> Context:
        made.append(Context(*args, runtime=make_runtime(plugins), **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.close()


Serve = Callable[..., ServiceServer]
MakeContext = Callable[..., Context]


# Finding.


@pytest.mark.parametrize("kind", [Directory, OldDirectory])
def test_locate(kind: type[Directory], serve: Serve, context: MakeContext) -> None:
    serve("local://one", Shop("one"))
    serve("local://two", Shop("two"))
    directory = kind(
        record("/com/one", "local://one"),
        record("/com/two", "local://two"),
        record("/com/three", "local://three", IFACE + ".other"),
        record("/com/twofold", "local://nowhere", "com.foo.else"),
    )
    serve("local://ns", directory)
    finder = context("local://ns")
    names = {finder.locate(IFACE).invoke("who") for _ in range(50)}
    assert names == {"one", "two"}
    assert finder.locate(IFACE, "/com/two").invoke("who") == "two"
    with pytest.raises(ServiceNotFound, match=r"'com\.foo\.nothing' not found"):
        finder.locate("com.foo.nothing")
    with pytest.raises(ServiceNotFound):
        finder.locate(IFACE, "/com/three")


def test_nameserver_is_not_asked_while_the_service_is_there(
    serve: Serve, context: MakeContext
) -> None:
    directory = Directory(record("/one", "local://one"))
    serve("local://ns", directory)
    shop = serve("local://one", Shop("one"))
    finder = context("local://ns")
    for _ in range(3):
        with finder.locate(IFACE) as component:
            assert component.invoke("who") == "one"
    assert len(directory.asked) == 1
    shop.close()
    serve("local://two", Shop("two"))
    directory.records = [record("/two", "local://two")]
    assert finder.locate(IFACE).invoke("who") == "two"
    assert len(directory.asked) == 2


@pytest.mark.parametrize("found", [[{}], [1], {"a": 1}, "text", [{"service": "/a"}], [[]]])
def test_nameserver_that_sends_no_records(found: Any, serve: Serve, context: MakeContext) -> None:
    directory = Directory()
    directory.found = lambda *_: found  # type: ignore[method-assign]
    serve("local://ns", directory)
    with pytest.raises((ServiceNotAvailable, ServiceNotFound)):
        context("local://ns").locate(IFACE).invoke("who")


def test_no_nameserver(context: MakeContext) -> None:
    with pytest.raises(
        ServiceNotFound, match=r"No nameserver answers: Nobody listens on local://a"
    ):
        context("local://a").locate(IFACE)
    with pytest.raises(ServiceNotFound, match="no nameserver runs in this process"):
        context().locate(IFACE)
    with pytest.raises(ServiceNotFound, match="local://a; Nobody listens on local://b"):
        context(["local://a", "local://b"]).nameserver()


def test_replicas_the_one_that_answered_is_asked_next(serve: Serve, context: MakeContext) -> None:
    directory = Directory(record("/one", "local://one"))
    serve("local://ns", directory)
    finder = context(["local://down", "local://ns", "local://never"])
    finder.nameserver()
    assert finder.nameservers == ["local://ns", "local://never", "local://down"]
    finder.nameserver()
    assert len(directory.asked) == 2


def test_error_of_a_nameserver_is_an_answer(serve: Serve, context: MakeContext) -> None:
    @interface(constants.NS_INTERFACE)
    class Refusing:
        @method
        def stat(self, request: Request) -> None:
            raise AccessDenied("not you")

    serve("local://one", Refusing)
    serve("local://two", Directory())
    with pytest.raises(AccessDenied, match="not you"):
        context(["local://one", "local://two"]).nameserver()


def test_nameserver_is_a_component(serve: Serve, context: MakeContext) -> None:
    serve("local://ns", Directory(record("/one", "local://one")))
    with context("local://ns").nameserver() as nameserver:
        assert nameserver.name == constants.NS_INTERFACE
        assert nameserver.invoke("stat") == {}
        assert nameserver.invoke("find", {"interface": IFACE})[0]["service"] == "/one"


def test_nameserver_of_the_configuration(make_runtime: MakeRuntime, serve: Serve) -> None:
    serve("local://ns", Directory())
    context = Context(runtime=make_runtime(nameserver=("local://ns",)))
    assert context.nameservers == ["local://ns"]
    assert context.nameserver().invoke("stat") == {}
    context.close()


def test_nameserver_of_this_process(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    ServiceServer(["local://a"], [Shop("here")], runtime)
    directory = Directory(record("/here", "local://a"))
    ServiceServer(["local://ns"], [directory], runtime)
    context = Context(runtime=runtime)
    assert context.nameservers == ["local"]
    assert context.locate(IFACE).invoke("who") == "here"
    context.close()


def test_deadline_of_a_context_is_for_the_nameserver_too(
    serve: Serve, context: MakeContext
) -> None:
    directory = Directory()
    serve("local://ns", directory)
    finder = context("local://ns")
    finder.deadline = 0.0
    with pytest.raises(DeadlineExceeded):
        finder.nameserver()
    assert directory.asked == []


@pytest.mark.parametrize("address", ["nonsense", "tcp://127.0.0.1"])
def test_address_that_is_none(address: str, make_runtime: MakeRuntime) -> None:
    context = Context(runtime=make_runtime(transport=None))
    with pytest.raises(ConfigurationError, match="Invalid address"):
        context.connect(address, IFACE).invoke("who")
    context.close()


def test_balancer_chooses_and_is_told(serve: Serve, make_runtime: MakeRuntime) -> None:
    told: list[Any] = []

    class Mine:
        def choose(self, records: Any, key: str | None = None) -> ServiceRecord:
            told.append(("choose", len(records), key))
            return records[-1]  # type: ignore[no-any-return]

        def observe(self, one: ServiceRecord, latency: Any, error: Any) -> None:
            told.append(("observe", one.service, latency is not None, type(error)))

    balancers = hookimpl(lambda: {"mine": lambda url: Mine()})
    runtime = make_runtime({"mine": SimpleNamespace(pycom_balancers=balancers)}, balancer="mine")
    serve("local://two", Shop("two"))
    serve("local://ns", Directory(record("/one", "local://one"), record("/two", "local://two")))
    context = Context("local://ns", runtime=runtime)
    component = context.locate(IFACE)
    assert told == [("choose", 2, IFACE)]
    component.invoke("who")
    assert told[1:] == [("observe", "/two", True, type(None))]
    with pytest.raises(RemoteError):
        component.invoke("missing")
    assert told[-1][:3] == ("observe", "/two", True)
    assert issubclass(told[-1][3], RemoteError)
    del told[:]
    context.locate(IFACE).close()
    assert told[-1] == ("observe", "/two", False, type(None)), "it was not used"
    context.close()


# Who calls.


@pytest.fixture
def shop(serve: Serve) -> Shop:
    """A shop, an authenticator, and a nameserver at local://ns that knows both."""
    shop = Shop()
    serve("local://shop", shop)
    serve("local://auth", Authenticator())
    serve(
        "local://ns",
        Directory(
            record("/shop", "local://shop"),
            record("/auth", "local://auth", constants.AUTH_INTERFACE),
        ),
    )
    return shop


def test_authenticated_calls_carry_the_token(shop: Shop, context: MakeContext) -> None:
    caller = context("local://ns")
    assert caller.user_info() is None
    caller.authenticate("anna", "right")
    assert caller.token == "token of anna"
    assert caller.user_info() == {"name": "anna", "roles": ["customer"]}
    caller.locate(IFACE).invoke("who")
    assert shop.extensions[-1][constants.AUTH_EXTENSION] == "token of anna"


def test_token_that_one_has(shop: Shop, context: MakeContext) -> None:
    caller = context("local://ns")
    caller.authenticate(token="token of bert")
    assert caller.user_info()["name"] == "bert"
    with pytest.raises(AccessDenied, match="Bad token"):
        caller.authenticate(token="forged")
    assert caller.token == "token of bert"


def test_authentication_that_fails_changes_nothing(shop: Shop, context: MakeContext) -> None:
    caller = context("local://ns")
    with pytest.raises(AccessDenied, match="Wrong password"):
        caller.authenticate("anna", "wrong")
    assert caller.token is None
    caller.locate(IFACE).invoke("who")
    assert constants.AUTH_EXTENSION not in shop.extensions[-1]


def test_without_an_authenticator(serve: Serve, context: MakeContext) -> None:
    serve("local://ns", Directory())
    with pytest.raises(ServiceNotFound):
        context("local://ns").authenticate("anna", "right")


def test_neither_token_nor_hooks_are_for_the_nameserver(serve: Serve, context: MakeContext) -> None:
    directory = Directory()
    serve("local://ns", directory)
    caller = context("local://ns")
    caller.token = "secret"
    caller.prehooks.append(lambda component, data: pytest.fail("a hook ran"))
    caller.nameserver()
    assert constants.AUTH_EXTENSION not in directory.asked[0].extensions


def test_context_of_a_request_calls_on_behalf_of_its_caller(
    shop: Shop, make_runtime: MakeRuntime
) -> None:
    @interface("com.foo.agent")
    class Agent:
        introspection_data: dict[str, Any] = {}  # noqa: RUF012

        @method
        def ask(self, request: Request) -> Any:
            with request.context().locate(IFACE) as component:
                return component.who()

    runtime = make_runtime(nameserver=("local://ns",))
    ServiceServer(["local://agent"], [Agent], runtime)
    caller = Context("local://ns", runtime=make_runtime())
    caller.token = "token of anna"
    agent = caller.connect("local://agent", "com.foo.agent")
    assert agent.invoke("ask", timeout=4000) == "shop"
    extensions = shop.extensions[-1]
    assert extensions[constants.AUTH_EXTENSION] == "token of anna"
    assert 0 < extensions[constants.DEADLINE_EXTENSION] <= 4000
    caller.close()


# Hooks.


def test_hooks_in_their_order_and_what_they_return(shop: Shop, context: MakeContext) -> None:
    caller = context("local://ns")
    seen: list[Any] = []

    def replaces(component: Any, data: Request) -> Request:
        seen.append("replaces")
        return Request(data.interface, data.method, extensions={"seen": len(seen)})

    def leaves(component: Any, data: Any) -> None:
        seen.append((component.name, type(data).__name__, data.extensions.get("seen")))

    def wraps(component: Any, data: Any) -> Any:
        data.result = [data.result]
        return data

    caller.prehooks += [replaces, leaves]
    caller.posthooks += [wraps, leaves, wraps]
    assert caller.connect("local://shop", IFACE).invoke("who") == [["shop"]]
    assert seen == ["replaces", (IFACE, "Request", 1), (IFACE, "Response", None)]
    assert shop.extensions[-1]["seen"] == 1


def test_hook_that_raises_gives_the_call_up(shop: Shop, context: MakeContext) -> None:
    caller = context("local://ns")

    def refuse(component: Any, data: Any) -> None:
        raise KeyError("no")

    caller.prehooks.append(refuse)
    with pytest.raises(KeyError, match="no"):
        caller.connect("local://shop", IFACE).invoke("who")
    assert shop.extensions == []


# Threads and forks.


@pytest.fixture
def network(make_runtime: MakeRuntime) -> Iterator[Runtime]:
    """A nameserver and a shop on TCP; a runtime whose configuration names it."""
    runtime = make_runtime(transport=None)
    with running(ServiceServer(["tcp://127.0.0.1:*"], [Shop()], runtime)) as shop:
        directory = Directory(record("/shop", shop.addresses[0]))
        server = ServiceServer(["tcp://127.0.0.1:*"], [directory], make_runtime(transport=None))
        with running(server):
            yield make_runtime(transport=None, nameserver=tuple(server.addresses))


def test_one_context_for_many_threads(network: Runtime) -> None:
    context = Context(runtime=network)
    failures: list[BaseException] = []

    def calls() -> None:
        try:
            for _ in range(30):
                with context.locate(IFACE) as component:
                    assert component.invoke("who") == "shop"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=calls) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    context.close()


def test_replicas_down_for_many_threads(context: MakeContext) -> None:
    caller = context(["local://a", "local://b"])
    wrong: list[BaseException] = []

    def calls() -> None:
        for _ in range(200):
            try:
                caller.nameserver()
            except ServiceNotFound:
                pass
            except BaseException as error:
                wrong.append(error)

    threads = [threading.Thread(target=calls) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert sorted(caller.nameservers) == ["local://a", "local://b"]


def test_fork(network: Runtime) -> None:
    context = Context(runtime=network)
    component = context.locate(IFACE)
    assert component.invoke("who") == "shop"
    child = os.fork()
    if child == 0:
        # Whatever happens, the child must not go on with the tests.
        try:
            fine = component.invoke("who") == "shop"
            fine = fine and context.locate(IFACE).invoke("who") == "shop"
            os._exit(0 if fine else 1)
        finally:
            os._exit(2)
    assert component.invoke("who") == "shop"
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert component.invoke("who") == "shop"
    context.close()
