"""Finding services for commands: what cannot be reached is reported at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import helpers
import pytest
from doubles import SHOP, Directory, Shop, record
from in_process import MakeRuntime

from pycom_core import Context, Runtime, ServiceNotAvailable, ServiceNotFound, ServiceServer
from pycom_core.process._finding import check_nameserver, check_service, located
from pycom_core.runtime._runtime import PROBE

DOWN = "local://down"


@pytest.fixture
def directory() -> Directory:
    return Directory(record("/one", "local://one"))


@pytest.fixture
def context(directory: Directory, make_runtime: MakeRuntime) -> Iterator[Context]:
    """A context whose nameserver knows the shop at local://one."""
    servers = [
        ServiceServer(["local://ns"], [directory], make_runtime()),
        ServiceServer(["local://one"], [Shop("one")], make_runtime()),
    ]
    context = Context("local://ns", runtime=make_runtime())
    yield context
    context.close()
    for server in servers:
        server.close()


def test_service_that_is_there_is_found(context: Context) -> None:
    assert located(context, SHOP).address == "local://one"
    assert located(context, SHOP, "/one").address == "local://one"


@pytest.mark.parametrize(("service", "who"), [(None, "No service"), ("/two", "No service '/two'")])
def test_interface_that_nobody_provides(
    service: str | None, who: str, context: Context, directory: Directory
) -> None:
    directory.records = []
    with pytest.raises(ServiceNotFound, match=f"^{who} provides 'com.foo.*`pycom ls` lists"):
        located(context, SHOP, service)


def test_service_that_cannot_be_reached(
    context: Context, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.records = [record("/gone", DOWN)]
    monkeypatch.setattr(Runtime, "obstacle", lambda _, address, __: {DOWN: "refused"}.get(address))
    with pytest.raises(ServiceNotAvailable, match=f"The service of {SHOP} cannot .* {DOWN}: ref"):
        located(context, SHOP)


def blocking(monkeypatch: pytest.MonkeyPatch, why: dict[str, str | None]) -> list[float]:
    """Let the obstacles be these; returns a list that gets the limits, in ms."""
    limits: list[float] = []
    together = threading.Barrier(len(why))

    def obstacle(self: Runtime, address: str, timeout: float) -> str | None:
        limits.append(timeout)
        together.wait(helpers.PATIENCE)
        return why[address]

    monkeypatch.setattr(Runtime, "obstacle", obstacle)
    return limits


def test_replicas_are_tried_at_one_time_and_the_reachable_ones_go_first(
    make_runtime: MakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocking(monkeypatch, {"local://a": "refused", "local://b": None, "local://c": None})
    context = Context(["local://a", "local://b", "local://c"], runtime=make_runtime())
    check_nameserver(context)
    assert context.nameservers == ["local://b", "local://c", "local://a"]


def test_no_nameserver_says_why_of_each(
    make_runtime: MakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocking(monkeypatch, {"local://a": "refused", "local://b": "silence"})
    with pytest.raises(ServiceNotFound) as caught:
        check_nameserver(Context(["local://a", "local://b"], runtime=make_runtime()))
    assert "local://a: refused; local://b: silence. Name one with -n" in str(caught.value)


@pytest.mark.parametrize(("timeout", "limit"), [(10, 10), (None, PROBE)])
def test_look_takes_no_longer_than_the_call_may(
    timeout: Any, limit: float, make_runtime: MakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = blocking(monkeypatch, {"local://a": None})
    check_service(Context(timeout=timeout, runtime=make_runtime()), "local://a", SHOP)
    assert limits == [limit]
