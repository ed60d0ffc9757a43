"""Authentication by token, with an authenticator whose answers are prepared."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from typing import Any

import helpers
import pytest
from in_process import Distributions, MakeRuntime, answer, running
from plugins.authentication.world import Open, Secret, Stub, World

import pycom
from pycom_core import (
    AccessDenied,
    BadRequest,
    ConfigurationError,
    Context,
    Identity,
    RemoteError,
    Request,
    ServiceServer,
)
from pycom_core.server._pipeline import call
from pycom_core.settings import Authentication
from pycom_core.testing import Clock
from pycom_plugins.authentication import validation
from pycom_plugins.authentication.expiring import Expiring
from pycom_plugins.authentication.token import TokenAuthentication
from pycom_plugins.authentication.validation import Unreachable, Validator
from pycom_plugins.nameserver.service import NameServer

ANN = Identity("ann", ("user",))
BOTH = pytest.mark.parametrize("interface", ["com.foo.open", "com.foo.secret"])


@pytest.fixture
def service(world: World, stub: Stub) -> ServiceServer:
    return world.serve(Open, Secret)


@pytest.mark.usefixtures("service")
class TestPolicy:
    def test_nobody_may_call_what_is_open(self, world: World, stub: Stub) -> None:
        assert world.whoami("com.foo.open") is None
        assert stub.asked == []

    def test_nobody_may_not_call_what_requires_authentication(
        self, world: World, stub: Stub
    ) -> None:
        with pytest.raises(AccessDenied, match=r"^Authentication required$"):
            world.whoami("com.foo.secret")
        assert stub.asked == []

    @BOTH
    def test_the_owner_of_a_token(self, interface: str, world: World, stub: Stub) -> None:
        assert world.whoami(interface, "t-ann") == ["ann", "user"]
        assert stub.asked == ["t-ann"]

    @BOTH
    @pytest.mark.parametrize("token", ["", "t-bob", "t-ann\0", "half of a pair: \ud83d"])
    def test_a_bad_token(self, interface: str, token: str, world: World) -> None:
        with pytest.raises(AccessDenied):
            world.whoami(interface, token)

    @BOTH
    @pytest.mark.parametrize("token", [0, 1.5, True, False, [], ["t-ann"], {"t-ann": 1}])
    def test_what_is_no_token(self, interface: str, token: Any, world: World, stub: Stub) -> None:
        with pytest.raises(AccessDenied, match=r"^The token in org\.pycom\.auth must be a string$"):
            world.whoami(interface, token)
        assert stub.asked == []

    def test_the_refusal_is_the_authenticators(self, world: World) -> None:
        with pytest.raises(AccessDenied, match=r"^never heard of it$"):
            world.whoami("com.foo.secret", "t-bob")


def test_required_by_the_configuration(world: World, stub: Stub) -> None:
    policy = Authentication("required")
    world.serve(Open, authentication=policy)
    with pytest.raises(AccessDenied, match=r"^Authentication required$"):
        world.whoami("com.foo.open")
    assert world.whoami("com.foo.open", "t-ann") == ["ann", "user"]


@pytest.mark.parametrize(
    "failure",
    [
        RemoteError("Unknown error during request"),
        BadRequest("what is that?"),
        None,
        {},
        [],
        "ann",
        {"name": 1, "roles": []},
        {"name": None, "roles": []},
        {"name": "ann", "roles": "admin"},
        {"name": "ann", "roles": None},
        {"name": "ann", "roles": [1]},
        {"roles": ["admin"]},
    ],
    ids=repr,
)
@BOTH
@pytest.mark.usefixtures("service")
def test_an_authenticator_that_fails(
    interface: str, failure: Any, world: World, stub: Stub, caplog: pytest.LogCaptureFixture
) -> None:
    stub.answers["t-ann"] = failure
    with caplog.at_level(logging.ERROR), pytest.raises(AccessDenied, match="failed to check"):
        world.whoami(interface, "t-ann")
    assert "The authenticator failed to check a token" in caplog.text


def test_more_than_is_needed_is_known_of_a_caller(world: World, stub: Stub) -> None:
    world.serve(Open)
    stub.answers["t-bob"] = {"name": "bob", "roles": [], "email": "bob@example.com"}
    assert world.whoami("com.foo.open", "t-bob") == ["bob"]


class TestNoAuthenticator:
    @pytest.fixture(params=["not registered", "overloaded", "gone"])
    def _unreachable(self, request: pytest.FixtureRequest, world: World) -> None:
        world.serve(Open, Secret)
        if request.param == "gone":
            world.register("org.pycom.authenticator", "tcp://gone:1")
        elif request.param == "overloaded":
            stub = Stub()
            stub.answers["t-ann"] = pycom.Overloaded("not now")
            world.authenticator(stub)

    @pytest.mark.usefixtures("_unreachable")
    def test_is_no_way_in(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING), pytest.raises(AccessDenied, match="cannot be check"):
            world.whoami("com.foo.secret", "t-ann")
        assert "Tokens cannot be checked: " in caplog.text

    @pytest.mark.usefixtures("_unreachable")
    def test_leaves_callers_unknown_where_they_may_be(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            assert world.whoami("com.foo.open", "t-ann") is None
            assert world.whoami("com.foo.open", "t-ann") is None
        assert caplog.text.count("Tokens cannot be checked: ") == 1

    def test_is_forgotten_when_there_is_one_again(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        world.serve(Open, Secret)
        with pytest.raises(AccessDenied, match="cannot be checked"):
            world.whoami("com.foo.secret", "t-ann")
        world.authenticator(Stub())
        assert world.whoami("com.foo.secret", "t-ann") == ["ann", "user"]
        assert world.whoami("com.foo.open", "t-ann") == ["ann", "user"]


class TestMemory:
    @pytest.fixture
    def clock(self, service: ServiceServer) -> Clock:
        clock = Clock()
        plugin = service.runtime.plugins._manager.get_plugin("authentication_token")
        plugin._known = Expiring(plugin._known._lifetime, 2, clock.now)
        return clock

    def test_a_good_token_is_not_asked_for_again_for_five_seconds(
        self, world: World, stub: Stub, clock: Clock
    ) -> None:
        assert world.whoami("com.foo.secret", "t-ann") == ["ann", "user"]
        stub.answers.clear()
        clock.advance(4.9)
        assert world.whoami("com.foo.open", "t-ann") == ["ann", "user"]
        clock.advance(0.1)
        with pytest.raises(AccessDenied):
            world.whoami("com.foo.open", "t-ann")
        assert stub.asked == ["t-ann", "t-ann"]

    def test_a_refusal_is_not_remembered(self, world: World, stub: Stub, clock: Clock) -> None:
        with pytest.raises(AccessDenied):
            world.whoami("com.foo.secret", "t-bob")
        stub.answers["t-bob"] = {"name": "bob", "roles": []}
        assert world.whoami("com.foo.secret", "t-bob") == ["bob"]

    def test_it_is_bounded(self, world: World, stub: Stub, clock: Clock) -> None:
        for name in "abcd":
            stub.answers[f"t-{name}"] = {"name": name}
            assert world.whoami("com.foo.secret", f"t-{name}") == [name]
        assert world.whoami("com.foo.secret", "t-d") == ["d"]
        assert world.whoami("com.foo.secret", "t-a") == ["a"]
        assert stub.asked == ["t-a", "t-b", "t-c", "t-d", "t-a"]

    def test_it_can_be_turned_off(self, world: World, stub: Stub) -> None:
        world.serve(Open, tables={"authentication_token": {"cache_lifetime": 0}})
        for _ in range(3):
            assert world.whoami("com.foo.open", "t-ann") == ["ann", "user"]
        assert stub.asked == ["t-ann"] * 3


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (
            {"cache_lifetim": 1},
            "authentication_token.cache_lifetim'?; did you mean 'cache_lifetime'",
        ),
        ({"cache_lifetime": "long"}, r"token\.cache_lifetime: Expected `float`, got `str`"),
        ({"cache_lifetime": -1}, "cache_lifetime must not be negative"),
    ],
)
def test_settings(table: dict[str, Any], problem: str, make_runtime: MakeRuntime) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        make_runtime(tables={"authentication_token": table})


class TestWithinOneProcess:
    """Nameserver, authenticator and services that share one loop, in one server."""

    @pytest.fixture
    def server(self, make_runtime: MakeRuntime) -> ServiceServer:
        address = "tcp://all:1"

        @pycom.interface("com.foo.middle", authentication="required")
        class Middle:
            @pycom.method
            def whoami(self, request: Request) -> Any:
                with request.context()._wrapped.connect(address, "com.foo.secret") as component:
                    return component.invoke("whoami")

        @pycom.interface("com.foo.first")
        class First:
            @pycom.method
            def whoami(self, request: Request) -> Any:
                with request.context()._wrapped.connect(address, "com.foo.middle") as component:
                    return component.invoke("whoami")

        runtime = make_runtime(tables={"authentication_token": {"cache_lifetime": 0}})
        providers = [NameServer(), Stub(), Open, Secret, Middle, First]
        return ServiceServer([address], providers, runtime)

    def call(self, server: ServiceServer, context: Context, interface: str) -> Any:
        for name in ("org.pycom.authenticator", "com.foo.secret"):
            arguments = {"service": "/all", "address": "tcp://all:1", "interfaces": [name]}
            service = {**arguments, "service": f"/{name}"}
            context.connect("tcp://all:1", "org.pycom.nameserver").invoke("register", service)
        context.token = "t-ann"
        return context.connect("tcp://all:1", interface).invoke("whoami")

    @pytest.mark.parametrize("name", ["open", "secret", "middle", "first"])
    def test_from_outside(
        self, name: str, server: ServiceServer, make_runtime: MakeRuntime
    ) -> None:
        with running(server):
            context = Context(runtime=make_runtime())
            assert self.call(server, context, f"com.foo.{name}") == ["ann", "user"]

    @pytest.mark.parametrize("name", ["open", "secret", "middle", "first"])
    def test_from_inside(self, name: str, server: ServiceServer) -> None:
        with running(server):
            context = Context(runtime=server.runtime)
            assert self.call(server, context, f"com.foo.{name}") == ["ann", "user"]

    @pytest.mark.parametrize("name", ["open", "secret", "middle", "first"])
    def test_without_a_loop(self, name: str, server: ServiceServer) -> None:
        context = Context(runtime=server.runtime)
        assert self.call(server, context, f"com.foo.{name}") == ["ann", "user"]


@pytest.mark.parametrize("policy", ["required", None])
def test_an_authenticator_is_not_asked_about_its_own_callers(
    policy: str | None, world: World
) -> None:
    @pycom.interface("org.pycom.authenticator", authentication=policy)
    class Careless(Stub):
        pass

    careless = Careless()
    world.authenticator(careless)
    context = world.context
    context.token = "t-ann"
    with pytest.raises(AccessDenied) if policy else contextlib.nullcontext():
        assert context.user_info() == {"name": "ann", "roles": ["user"]}
    assert careless.asked == ([] if policy else ["t-ann"])


def test_the_service_goes_on_while_it_asks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The authenticator answers only after another call of the same service has been answered."""
    monkeypatch.setattr(validation, "PATIENCE", helpers.PATIENCE)
    answered = threading.Event()

    @pycom.interface("org.pycom.authenticator", authentication="never")
    class Slow:
        @pycom.method
        def validate(self, request: Request, token: str) -> Any:
            assert answered.wait(helpers.PATIENCE)
            return {"name": token, "roles": []}

    world.authenticator(Slow)
    world.serve(Open)
    found: list[Any] = []
    caller = threading.Thread(target=lambda: found.append(world.whoami("com.foo.open", "ann")))
    caller.start()
    assert world.whoami("com.foo.open") is None
    answered.set()
    caller.join()
    assert found == [["ann"]]


class TestManyAtOnce:
    """One token, asked for by several callers before there is an answer."""

    @pytest.fixture
    def validator(self, world: World, monkeypatch: pytest.MonkeyPatch) -> Validator:
        validator = Validator(world.runtime())
        self.asked: list[str] = []
        self.released = threading.Event()

        def ask(token: str, since: float) -> Identity:
            self.asked.append(token)
            assert self.released.wait(helpers.PATIENCE)
            if token == "bad":
                raise AccessDenied("bad")
            return ANN

        monkeypatch.setattr(validator, "_ask", ask)
        return validator

    def test_it_is_asked_for_once(self, validator: Validator) -> None:
        async def main() -> None:
            waiting = [asyncio.ensure_future(validator.identity_of("good")) for _ in range(10)]
            await asyncio.sleep(0)
            self.released.set()
            assert await asyncio.gather(*waiting) == [ANN] * 10

        asyncio.run(main())
        assert self.asked == ["good"]
        assert validator._asked == {}

    def test_who_gives_up_does_not_take_the_answer_from_others(self, validator: Validator) -> None:
        async def main() -> None:
            first, second = (asyncio.ensure_future(validator.identity_of("bad")) for _ in "12")
            await asyncio.sleep(0)
            first.cancel()
            await asyncio.wait([first])
            assert first.cancelled()
            self.released.set()
            with pytest.raises(AccessDenied):
                await second

        asyncio.run(main())
        assert self.asked == ["bad"]


def test_a_token_that_had_to_wait_too_long_is_not_asked_for(world: World, stub: Stub) -> None:
    validator = Validator(world.runtime())
    with pytest.raises(Unreachable, match="too many"):
        validator._ask("t-ann", time.monotonic() - 60)
    assert stub.asked == []


def test_the_deadline_of_the_call_is_kept(world: World) -> None:
    """A caller who waits no longer gets code 7, whatever the authenticator does."""
    released = threading.Event()

    @pycom.interface("org.pycom.authenticator", authentication="never")
    class Slow:
        @pycom.method
        def validate(self, request: Request, token: str) -> Any:
            released.wait(helpers.PATIENCE)
            return {"name": token, "roles": []}

    world.authenticator(Slow)
    server = ServiceServer(["tcp://late:1"], [Secret], world.runtime())
    extensions = {"org.pycom.auth": "ann", "org.pycom.deadline": 50}
    late = asyncio.run(answer(server, "com.foo.secret", "whoami", extensions=extensions))
    released.set()
    assert late["code"] == 7


def test_a_token_costs_no_coroutine_once_it_is_known(make_runtime: MakeRuntime) -> None:
    plugin = TokenAuthentication()
    make_runtime(plugins={"another": plugin})
    plugin._known.put("t-ann", ANN)
    request = Request("com.foo.open", "whoami", extensions={"org.pycom.auth": "t-ann"})
    assert plugin.pycom_authenticate(Open.__interface__, request) is ANN
    request.extensions.clear()
    assert plugin.pycom_authenticate(Open.__interface__, request) is None


def test_without_the_plugin_nobody_is_known(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(disable=("authentication_token",))
    server = ServiceServer(["tcp://service:1"], [Secret], runtime)
    request = Request("com.foo.secret", "whoami", extensions={"org.pycom.auth": "t-ann"})
    with pytest.raises(AccessDenied, match="Authentication required"):
        asyncio.run(call(server, request))


def test_plugins_that_know_a_token_by_its_form_come_before(
    world: World, stub: Stub, distributions: Distributions
) -> None:
    distributions.plugin(
        "signed",
        """
        from pycom_core import Identity

        @hookimpl
        def pycom_authenticate(request):
            name = request.extensions["org.pycom.auth"].removeprefix("signed:")
            return None if name.startswith("t-") else Identity(name)
        """,
    )
    world.serve(Secret)
    assert world.whoami("com.foo.secret", "signed:zoe") == ["zoe"]
    assert stub.asked == []
    assert world.whoami("com.foo.secret", "t-ann") == ["ann", "user"]
