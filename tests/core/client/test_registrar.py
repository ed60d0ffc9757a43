"""Registration: renewed with every replica, withdrawn at the end."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from doubles import double
from in_process import MakeRuntime

from pycom_core import (
    AccessDenied,
    Context,
    RemoteError,
    Request,
    Runtime,
    ServiceServer,
    constants,
    hookimpl,
    interface,
    method,
)
from pycom_core.client import _registrar as registration
from pycom_core.client._registrar import Registrar
from pycom_core.log import logger
from pycom_core.records import ServiceRecord

PATIENCE = 30  # s
RECORD = ServiceRecord("/com/foo/one", "tcp://10.0.0.1:2013", ("com.foo.a", "com.foo.b"))


@double(constants.NS_INTERFACE)
class Fake:
    """A nameserver that records its calls, and when they came."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.extensions: list[dict[str, Any]] = []
        self.news = threading.Condition()
        self.refusal: RemoteError | None = None

    def _note(self, request: Request) -> dict[str, Any]:
        with self.news:
            self.told.append((request.method, request.args))
            self.extensions.append(request.extensions)
            self.news.notify_all()
        if self.refusal is not None:
            raise self.refusal
        return {}

    @method
    def register(self, request: Request) -> dict[str, Any]:
        return self._note(request)

    @method
    def unregister(self, request: Request) -> dict[str, Any]:
        return self._note(request)

    def wait_for(self, count: int) -> None:
        """Wait for so many calls."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.told) >= count, PATIENCE)


Register = Callable[..., Registrar]


@pytest.fixture
def renews_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "RENEWAL", 0.005)


@pytest.fixture
def retries_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "RETRY", 0.005)


@pytest.fixture
def fakes(make_runtime: MakeRuntime) -> list[Fake]:
    """Two nameservers, `local://0` and `local://1`."""
    fakes = [Fake(), Fake()]
    for index, fake in enumerate(fakes):
        ServiceServer([f"local://{index}"], [fake], make_runtime())
    return fakes


@pytest.fixture
def register(make_runtime: MakeRuntime) -> Any:
    """Starts a registrar; it ends with the test."""
    started: list[Registrar] = []

    def register(
        *addresses: str,
        record: ServiceRecord = RECORD,
        on_refused: Callable[[RemoteError], object] = lambda error: None,
        plugins: Any = None,
    ) -> Registrar:
        context = Context(runtime=make_runtime(plugins))
        context.token = "secret"
        context.prehooks.append(lambda component, data: pytest.fail("a hook of the context ran"))
        registrar = Registrar(context, dict.fromkeys(addresses, record), on_refused)
        started.append(registrar)
        registrar.start()
        return registrar

    yield register
    for registrar in started:
        registrar.stop()
        registrar._thread.join(PATIENCE)


def test_registers_with_every_replica_and_takes_it_back(
    fakes: list[Fake], register: Register
) -> None:
    registrar = register("local://0", "local://1")
    for fake in fakes:
        fake.wait_for(1)
    assert registrar.registered.wait(PATIENCE)
    registrar.stop()
    for fake in fakes:
        assert fake.told == [
            (
                "register",
                {
                    "address": "tcp://10.0.0.1:2013",
                    "service": "/com/foo/one",
                    "interfaces": ["com.foo.a", "com.foo.b"],
                },
            ),
            ("unregister", {"address": "tcp://10.0.0.1:2013", "service": "/com/foo/one"}),
        ]


def test_each_replica_is_told_an_address_of_its_own(
    fakes: list[Fake], make_runtime: MakeRuntime
) -> None:
    records = {
        f"local://{index}": ServiceRecord("/a", f"tcp://10.{index}.0.9:2013", ("a",))
        for index in range(2)
    }
    registrar = Registrar(Context(runtime=make_runtime()), records, lambda error: None)
    registrar.start()
    for fake in fakes:
        fake.wait_for(1)
    registrar.stop()
    for index, fake in enumerate(fakes):
        assert [name for name, _ in fake.told] == ["register", "unregister"]
        assert {told["address"] for _, told in fake.told} == {f"tcp://10.{index}.0.9:2013"}


def test_metadata_travels_where_there_is_some(fakes: list[Fake], register: Register) -> None:
    register("local://0", record=ServiceRecord("/a", "tcp://h:1", ("a",), {"zone": 1}))
    fakes[0].wait_for(1)
    assert fakes[0].told[0][1]["metadata"] == {"zone": 1}


def test_credentials_and_hooks_of_the_caller_stay_away(
    fakes: list[Fake], register: Register
) -> None:
    # The context of the fixture has a token, and a hook that fails the test.
    seen: list[Any] = []
    hook = hookimpl(lambda component, data: seen.append(component.name))
    mine = SimpleNamespace(pycom_client_prehook=hook)
    registrar = register("local://0", plugins={"mine": mine})
    assert registrar.registered.wait(PATIENCE)
    registrar.stop()
    assert [told for told, _ in fakes[0].told] == ["register", "unregister"]
    assert [extensions.keys() for extensions in fakes[0].extensions] == [
        {constants.DEADLINE_EXTENSION}
    ] * 2
    assert seen == []


@pytest.mark.usefixtures("renews_soon")
def test_renews(fakes: list[Fake], register: Register) -> None:
    registrar = register("local://0", "local://1")
    for fake in fakes:
        fake.wait_for(5)
    registrar.stop()
    for fake in fakes:
        assert {name for name, _ in fake.told[:-1]} == {"register"}
        assert fake.told[-1][0] == "unregister"


def test_renews_twice_within_a_lease() -> None:
    assert registration.RENEWAL * 2000 == constants.NS_SERVICE_TIMEOUT == 60_000


@pytest.mark.usefixtures("renews_soon", "retries_soon")
def test_one_replica_down_does_not_matter(
    fakes: list[Fake], register: Register, make_runtime: MakeRuntime
) -> None:
    registrar = register("local://late", "local://0")
    fakes[0].wait_for(1)
    assert registrar.registered.wait(PATIENCE)
    late = Fake()
    ServiceServer(["local://late"], [late], make_runtime())
    late.wait_for(2)
    fakes[0].wait_for(2)
    registrar.stop()
    assert late.told[-1][0] == "unregister"


@pytest.mark.usefixtures("retries_soon")
def test_all_replicas_down_until_one_comes(
    register: Register, make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    registrar = register("local://late")
    assert not registrar.registered.is_set()
    late = Fake()
    ServiceServer(["local://late"], [late], make_runtime())
    assert registrar.registered.wait(PATIENCE)
    registrar.stop()
    if caplog.records:  # it may have come in time
        assert "Could not register /com/foo/one: " in caplog.text


class Heard(logging.Handler):
    """A log handler that keeps messages, and sets an event at each."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []
        self.news = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())
        self.news.set()


def test_what_keeps_one_from_a_nameserver_is_said(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Runtime, "obstacle", lambda runtime, address: f"{address} refuses")
    heard = Heard()
    logger().addHandler(heard)
    try:
        register("local://nobody")
        assert heard.news.wait(PATIENCE)
    finally:
        logger().removeHandler(heard)
    [warning] = heard.said
    assert warning.startswith("Could not register /com/foo/one: No nameserver answers: ")
    assert warning.endswith(" (local://nobody refuses)")


@pytest.mark.usefixtures("renews_soon", "retries_soon")
def test_refused_is_told(fakes: list[Fake], register: Register) -> None:
    refused: list[RemoteError] = []
    told = threading.Event()

    def on_refused(error: RemoteError) -> None:
        refused.append(error)
        told.set()

    fakes[0].refusal = AccessDenied("Service /com/foo/one already registered")
    registrar = register("local://0", on_refused=on_refused)
    assert told.wait(PATIENCE)
    assert str(refused[0]) == "Service /com/foo/one already registered"
    assert not registrar.registered.is_set()
    fakes[0].refusal = None
    assert registrar.registered.wait(PATIENCE)  # it goes on asking
    registrar.stop()


@pytest.mark.usefixtures("retries_soon")
def test_other_errors_are_tried_again(
    fakes: list[Fake], register: Register, caplog: pytest.LogCaptureFixture
) -> None:
    fakes[0].refusal = RemoteError("Unknown error during request")
    registrar = register("local://0")
    fakes[0].wait_for(3)
    assert not registrar.registered.is_set()
    fakes[0].refusal = None
    assert registrar.registered.wait(PATIENCE)
    assert "Could not register /com/foo/one: Unknown error" in caplog.text


def test_where_it_is_not_known_it_does_not_unregister(
    fakes: list[Fake], register: Register
) -> None:
    fakes[0].refusal = AccessDenied("held by another")
    registrar = register("local://0")
    fakes[0].wait_for(1)
    registrar.stop()
    assert [name for name, _ in fakes[0].told] == ["register"]


def test_a_forked_child_does_not_unregister(
    fakes: list[Fake], register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    registrar = register("local://0")
    assert registrar.registered.wait(PATIENCE)
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        registrar.stop()
    assert [name for name, _ in fakes[0].told] == ["register"]
    registrar.stop()
    assert [name for name, _ in fakes[0].told] == ["register", "unregister"]


def test_old_nameserver_cannot_unregister(
    register: Register, make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    @interface(constants.NS_INTERFACE)
    class Old:
        @method
        def register(self, request: Request) -> dict[str, Any]:
            return {}

    ServiceServer(["local://old"], [Old], make_runtime())
    registrar = register("local://old")
    assert registrar.registered.wait(PATIENCE)
    registrar.stop()
    assert not caplog.records


def test_nameserver_gone_at_the_end(
    register: Register, make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    server = ServiceServer(["local://gone"], [Fake()], make_runtime())
    registrar = register("local://gone")
    assert registrar.registered.wait(PATIENCE)
    server.close()
    registrar.stop()
    assert "Could not unregister" in caplog.text
    registrar.stop()
