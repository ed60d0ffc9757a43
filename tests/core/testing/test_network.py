"""Networks for tests: without sockets and with them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from core.testing.world import Sessions, Worker

import pycom
from pycom_core import (
    Balancer,
    ConfigurationError,
    PluginError,
    PycomError,
    Request,
    ServiceRecord,
    hookimpl,
)
from pycom_core.testing import Clock, LocalNetwork, RealNetwork, threads
from pycom_core.testing.network import Network
from pycom_plugins.memory.nameserver import MemoryBackend

BOTH = pytest.mark.parametrize("make", [LocalNetwork, RealNetwork])
Make = Callable[..., Network]


@pytest.fixture(params=[LocalNetwork, RealNetwork])
def network(request: pytest.FixtureRequest) -> Iterator[Network]:
    with request.param() as network:
        yield network


def services(network: Network) -> set[str]:
    """Names of those that the nameserver knows."""
    found = network.context().nameserver().invoke("list_services")
    return {record["service"] for record in found}


def work(network: Network, item: Any = 1) -> Any:
    return network.context().locate("com.foo.worker").invoke("work", {"item": item})


class TestServices:
    def test_is_found_when_serve_returns(self, network: Network) -> None:
        service = network.serve(Worker)
        assert work(network) == 1
        assert services(network) == {"/org/pycom/nameserver", service.name}
        assert service.alive
        assert service.name in repr(service)

    def test_has_the_name_it_is_given(self, network: Network) -> None:
        service = network.serve(Worker, name="/com/foo/w")
        assert service.name == "/com/foo/w"
        assert network.context().locate("com.foo.worker", "/com/foo/w").invoke("work", {"item": 1})

    def test_a_class_gives_each_service_its_own_object(self, network: Network) -> None:
        one, two = network.serve(Worker), network.serve(Worker)
        first, second = (s.server.interfaces["com.foo.worker"].instance for s in (one, two))
        assert first is not second

    def test_an_object_serves_itself(self, network: Network) -> None:
        worker = Worker()
        network.serve(worker, Sessions)
        work(network, 5)
        assert worker.done == [5]
        assert network.context().locate("com.foo.counter").invoke("count") == 1

    def test_services_call_each_other(self, network: Network) -> None:
        @pycom.interface("com.foo.front")
        class Front(pycom.Service):
            @pycom.method
            def ask(self, request: Any) -> Any:
                return request.context().locate("com.foo.worker").work(item=3)

        network.serve(Worker)
        network.serve(Front)
        assert network.context().locate("com.foo.front").invoke("ask") == 3

    def test_taken_name(self, network: Network) -> None:
        network.serve(Worker, name="/com/foo/w")
        before = threading.active_count()
        with pytest.raises(pycom.AccessDenied, match="already registered"):
            network.serve(Sessions, name="/com/foo/w")
        assert threading.active_count() == before
        assert work(network) == 1

    def test_taken_address(self, network: Network) -> None:
        address = network.serve(Worker).address
        with pytest.raises(ConfigurationError, match="Cannot listen"):
            network.serve(Sessions, address=address)

    def test_stopped_is_unregistered(self, network: Network) -> None:
        service = network.serve(Worker)
        service.stop()
        assert not service.alive
        assert services(network) == {"/org/pycom/nameserver"}
        service.stop()

    def test_stopped_finishes_what_runs(self, network: Network) -> None:
        worker = Worker()
        service = network.serve(worker)
        component = network.context(timeout=30_000).locate("com.foo.worker")
        answers: list[Any] = []
        asking = threading.Thread(target=lambda: answers.append(component.invoke("take_long")))
        asking.start()
        assert worker.began.wait(30)
        stopping = threading.Thread(target=service.stop)
        stopping.start()
        worker.may_end.set()
        stopping.join()
        asking.join()
        assert answers == ["done"]


class TestKill:
    def test_is_gone_and_still_registered(self, network: Network) -> None:
        service = network.serve(Worker)
        network.kill(service)
        assert not service.alive
        assert service.name in services(network)
        component = network.context(timeout=200).connect(service.address, "com.foo.worker")
        with pytest.raises(pycom.ServiceNotAvailable):
            component.invoke("work", {"item": 1})

    def test_comes_back_at_its_address(self, network: Network) -> None:
        service = network.serve(Worker)
        address = service.address
        component = network.context().locate("com.foo.worker")
        network.kill(service)
        service.start()
        assert service.address == address
        assert component.invoke("work", {"item": 2}) == 2

    def test_nameserver_forgets_in_memory(self, network: Network) -> None:
        service = network.serve(Worker)
        network.kill(network.nameserver)
        with pytest.raises(pycom.ServiceNotFound):
            network.context(timeout=200).locate("com.foo.worker")
        network.nameserver.start()
        assert services(network) == {"/org/pycom/nameserver"}
        network.renew()
        assert services(network) == {"/org/pycom/nameserver", service.name}

    def test_what_runs_dies(self, network: Network) -> None:
        worker = Worker()
        service = network.serve(worker)
        component = network.context(timeout=2000).locate("com.foo.worker")
        outcome: list[type] = []

        def ask() -> None:
            try:
                component.invoke("take_long")
            except pycom.ServiceNotAvailable as error:
                outcome.append(type(error))

        asking = threading.Thread(target=ask)
        asking.start()
        assert worker.began.wait(30)
        network.kill(service)
        asking.join()
        worker.may_end.set()
        assert len(outcome) == 1

    def test_method_that_holds_the_thread(
        self, network: Network, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        began, may_end = threading.Event(), threading.Event()

        @pycom.interface("com.foo.stuck")
        class Stuck(pycom.Service):
            @pycom.method
            def hang(self, request: Any) -> None:
                began.set()
                may_end.wait()

        service = network.serve(Stuck)
        component = network.context(timeout=2000).locate("com.foo.stuck")

        def ask() -> None:
            with contextlib.suppress(PycomError):
                component.invoke("hang")

        asking = threading.Thread(target=ask)
        asking.start()
        assert began.wait(30)
        with monkeypatch.context() as patched:
            patched.setattr(threads, "PATIENCE", 0.1)
            with pytest.raises(RuntimeError, match="only processes can be killed"):
                network.kill(service)
        may_end.set()
        network.kill(service)
        asking.join()


class TestTime:
    def test_leases_of_the_living_go_on(self, network: Network) -> None:
        living, dead, cut = (network.serve(Worker) for _ in range(3))
        network.kill(dead)
        network.faults.cut(cut)
        assert {living.name, dead.name, cut.name} < services(network)
        network.advance(59)
        assert {living.name, dead.name, cut.name} < services(network)
        network.advance(2)
        assert services(network) == {"/org/pycom/nameserver", living.name}
        network.faults.heal()
        network.advance(10_000)
        assert services(network) == {"/org/pycom/nameserver", living.name, cut.name}

    def test_leases_end_by_the_clock_alone(self, network: Network) -> None:
        network.serve(Worker)
        network.clock.advance(61)
        assert services(network) == set()

    def test_sessions_end(self, network: Network) -> None:
        network.serve(Sessions, session_timeout=10_000)
        component = network.context().locate("com.foo.counter")
        assert [component.invoke("count") for _ in range(2)] == [1, 2]
        network.advance(9)
        assert component.invoke("count") == 3
        network.advance(11)
        with pytest.raises(pycom.SessionExpired):
            component.invoke("count")

    def test_what_a_context_knows_ends(self, network: Network) -> None:
        network.serve(Worker)
        context, key = network.context(), ("com.foo.worker", None)
        context.locate(*key)
        assert context.records.get(key)
        network.advance(61)
        assert not context.records.get(key)

    @BOTH
    @pytest.mark.parametrize("scheme", ["memory:", "sqlite:///{}/ns", "mine:"])
    def test_backends_are_given_the_clock(self, make: Make, scheme: str, tmp_path: Any) -> None:
        class Mine(MemoryBackend):
            def __init__(self, url: str, clock: Callable[[], float]) -> None:
                assert url == "mine:"
                super().__init__(clock)

        class Plugin:
            @hookimpl
            def pycom_nameserver_backends(self) -> Any:
                return {"mine": Mine}

        backend, clock = scheme.format(tmp_path), Clock()
        with make(nameserver_backend=backend, plugins={"p": Plugin()}, clock=clock) as network:
            service = network.serve(Worker)
            network.kill(service)
            clock.advance(59)
            assert service.name in services(network)
            clock.advance(2)
            assert service.name not in services(network)

    def test_a_factory_need_not_take_a_clock(self, network: Network) -> None:
        class First(Balancer):
            def choose(self, records: Any, key: Any = None) -> ServiceRecord:
                found: ServiceRecord = records[0]
                return found

        class Plugin:
            @hookimpl
            def pycom_balancers(self) -> Any:
                return {"first": lambda url: First()}

        network.serve(Worker)
        context = network.context(plugins={"p": Plugin()}, balancer="first")
        assert context.locate("com.foo.worker").invoke("work", {"item": 1}) == 1


class Audit:
    def __init__(self) -> None:
        self.seen: list[str] = []

    @hookimpl
    def pycom_prehook(self, data: Request) -> None:
        self.seen.append(data.method)


class TestOptions:
    def test_plugins_of_one_service(self, network: Network) -> None:
        audit = Audit()
        network.serve(Worker, plugins={"audit": audit})
        network.serve(Sessions)
        work(network)
        network.context().locate("com.foo.counter").invoke("count")
        assert audit.seen == ["work"]

    @BOTH
    def test_plugins_of_the_network(self, make: Make) -> None:
        audit = Audit()
        with make(plugins={"audit": audit}) as network:
            network.serve(Worker)
            work(network)
        assert audit.seen[-2:] == ["find", "work"]

    def test_plugins_of_a_context(self, network: Network) -> None:
        class Sent:
            methods: list[str] = []  # noqa: RUF012

            @hookimpl
            def pycom_client_prehook(self, data: Request) -> None:
                self.methods.append(data.method)

        network.serve(Worker)
        context = network.context(plugins={"sent": Sent()})
        context.locate("com.foo.worker").invoke("work", {"item": 1})
        work(network)
        assert Sent.methods == ["work"]

    def test_tables_of_plugins(self, network: Network) -> None:
        class Configured:
            @hookimpl
            def pycom_configure(self, runtime: Any) -> None:
                self.table = runtime.settings.tables["configured"]

        plugin = Configured()
        network.serve(Worker, plugins={"configured": plugin}, configured={"a": 1})
        assert plugin.table == {"a": 1}

    def test_disabled_plugins(self, network: Network) -> None:
        network.serve(Worker, disable=["introspection"])
        with pytest.raises(pycom.MethodNotFound):
            network.context().locate("com.foo.worker").introspect()

    def test_settings(self, network: Network) -> None:
        network.serve(Worker, authentication={"policy": "required"})
        with pytest.raises(pycom.AccessDenied):
            work(network)

    def test_unknown_setting(self, network: Network) -> None:
        with pytest.raises(ConfigurationError, match="did you mean 'threads'"):
            network.serve(Worker, treads=1)
        with pytest.raises(ConfigurationError, match="did you mean 'balancer'"):
            network.context(balancr="random")

    def test_broken_plugin(self, network: Network) -> None:
        class Broken:
            @hookimpl
            def pycom_startup(self) -> None:
                raise ValueError("not today")

        before = threading.active_count()
        with pytest.raises(PluginError, match="not today"):
            network.serve(Worker, plugins={"broken": Broken()})
        assert threading.active_count() == before
        assert services(network) == {"/org/pycom/nameserver"}

    @BOTH
    def test_neither_environment_nor_files_count(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
    ) -> None:
        monkeypatch.setenv("PYCOM_BALANCER", "no such thing")
        monkeypatch.setenv("PYCOM_CONFIG", str(tmp_path / "missing.json"))
        with make() as network:
            network.serve(Worker)
            assert work(network) == 1


class TestEnd:
    @BOTH
    def test_no_thread_is_left(self, make: Make) -> None:
        before = set(threading.enumerate())
        with make() as network:
            network.serve(Worker)
            network.kill(network.serve(Sessions))
            work(network)
        assert set(threading.enumerate()) <= before

    @BOTH
    def test_no_thread_is_left_by_a_failure(self, make: Make) -> None:
        before = set(threading.enumerate())
        with pytest.raises(KeyboardInterrupt), make() as network:  # noqa: PT012
            network.serve(Worker)
            network.faults.cut(network.nameserver)
            raise KeyboardInterrupt
        assert set(threading.enumerate()) <= before

    @BOTH
    def test_no_thread_is_left_where_it_cannot_start(self, make: Make) -> None:
        before = set(threading.enumerate())
        with pytest.raises(ConfigurationError, match="no active plugin"):
            make(nameserver_backend="nowhere:")
        assert set(threading.enumerate()) <= before

    @BOTH
    def test_calls_that_run_do_not_hold_it_up(self, make: Make) -> None:
        worker = Worker()
        with make() as network:
            network.serve(worker)
            component = network.context(timeout=2000).locate("com.foo.worker")
            outcome: list[PycomError] = []

            def ask() -> None:
                try:
                    component.invoke("take_long")
                except PycomError as error:
                    outcome.append(error)

            asking = threading.Thread(target=ask)
            asking.start()
            assert worker.began.wait(30)
        asking.join()
        worker.may_end.set()
        assert len(outcome) == 1


class TestAsync:
    @BOTH
    def test_all_of_it(self, make: Make) -> None:
        async def main() -> None:
            ticks = 0

            async def tick() -> None:
                nonlocal ticks
                while True:
                    await asyncio.sleep(0)
                    ticks += 1

            ticking = asyncio.ensure_future(tick())
            async with make() as network:
                before = ticks
                service = await network.async_serve(Worker)
                assert ticks > before  # the loop went on
                async with (
                    network.async_context() as context,
                    context.locate("com.foo.worker") as component,
                ):
                    items = range(20)
                    done = await asyncio.gather(*(component.work(item=item) for item in items))
                    assert done == list(items)
                network.kill(service)
                network.advance(61)
                with pytest.raises(pycom.ServiceNotFound):
                    await network.async_context().locate("com.foo.worker")
            ticking.cancel()

        asyncio.run(main())

    def test_service_on_a_loop_of_its_own(self, network: Network) -> None:
        async def main() -> int:
            network.serve(Worker)  # not on this loop, which is blocked meanwhile
            return len(asyncio.all_tasks())

        assert asyncio.run(main()) == 1
        assert work(network) == 1
