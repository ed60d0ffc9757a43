"""The contract of nameserver backends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from pycom_core.backends import Guarantee, NameserverBackend, ServiceRecord
from pycom_core.errors import AccessDenied
from pycom_core.testing.clock import Clock
from pycom_core.testing.contracts.common import (
    LeaseContract,
    at_once,
    in_loop,
    in_threads,
    opened,
)

Factory = Callable[[], NameserverBackend]

ONE = ServiceRecord("/com/foo/one", "tcp://10.0.0.1:2013", ("com.foo", "com.bar"), {"zone": "a"})
TWO = ServiceRecord("/com/foo/two", "tcp://10.0.0.2:2013", ("com.foo",))
RIVAL = ServiceRecord(ONE.service, "tcp://10.0.0.9:2013", ("com.rival",))
METHODS = ("register", "unregister", "find", "list")


async def check(backend: NameserverBackend, *expected: ServiceRecord) -> None:
    """Assert that all ways to look into `backend` show `expected`, in whatever order."""
    by_service = {record.service: record for record in expected}
    listed = await backend.list()
    assert len(listed) == len(expected)
    assert {record.service: record for record in listed} == by_service
    named = {interface for record in expected for interface in record.interfaces}
    for interface in named | {"com.foo", "com.bar", "com.rival"}:
        found = await backend.find(interface)
        providers = {s: r for s, r in by_service.items() if interface in r.interfaces}
        assert len(found) == len(providers)
        assert {record.service: record for record in found} == providers
        for service in {ONE.service, TWO.service, *by_service}:
            one = await backend.find(interface, service)
            assert list(one) == ([providers[service]] if service in providers else [])


class NameserverBackendContract(LeaseContract):
    """Subclass it and supply the fixture `backend_factory`: a callable giving a backend."""

    @pytest.fixture
    def backend_factory(self) -> Factory:
        raise NotImplementedError("supply the fixture backend_factory")

    @in_loop
    async def test_empty(self, backend_factory: Factory) -> None:
        async with opened(backend_factory) as backend:
            await check(backend)

    @in_loop
    async def test_registered_is_found(self, backend_factory: Factory) -> None:
        async with opened(backend_factory) as backend:
            await backend.register(ONE, self.ttl)
            await check(backend, ONE)
            await backend.register(TWO, self.ttl)
            await check(backend, ONE, TWO)

    @in_loop
    async def test_without_interfaces_is_listed(self, backend_factory: Factory) -> None:
        async with opened(backend_factory) as backend:
            await backend.register(ServiceRecord(ONE.service, ONE.address, ()), self.ttl)
            await check(backend, ServiceRecord(ONE.service, ONE.address, ()))

    @in_loop
    async def test_interface_named_twice(self, backend_factory: Factory) -> None:
        twice = ServiceRecord(ONE.service, ONE.address, ("com.foo", "com.foo"))
        async with opened(backend_factory) as backend:
            await backend.register(twice, self.ttl)
            await check(backend, twice)
            await backend.unregister(twice.service, twice.address)
            await check(backend)

    @in_loop
    async def test_result_is_a_snapshot(self, backend_factory: Factory) -> None:
        async with opened(backend_factory) as backend:
            await backend.register(ONE, self.ttl)
            listed, found = await backend.list(), await backend.find("com.foo")
            await backend.register(TWO, self.ttl)
            assert (list(listed), list(found)) == ([ONE], [ONE])

    @in_loop
    async def test_lease_ends(self, backend_factory: Factory, clock: Clock) -> None:
        async with opened(backend_factory) as backend:
            await backend.register(ONE, self.ttl)
            await self.advance(clock, 0.5 * self.ttl)
            await backend.register(TWO, self.ttl)
            await check(backend, ONE, TWO)
            await self.advance(clock, 0.75 * self.ttl)
            await check(backend, TWO)
            await self.advance(clock, self.ttl)
            await check(backend)

    @in_loop
    async def test_renewed_lease_lives_on(self, backend_factory: Factory, clock: Clock) -> None:
        async with opened(backend_factory) as backend:
            await backend.register(ONE, self.ttl)
            await backend.register(TWO, self.ttl)
            for _ in range(4):
                await self.advance(clock, 0.6 * self.ttl)
                assert ONE in await backend.list()
                await backend.register(ONE, self.ttl)
            await check(backend, ONE)
            await self.advance(clock, 1.25 * self.ttl)
            await check(backend)

    @in_loop
    async def test_last_ttl_counts(self, backend_factory: Factory, clock: Clock) -> None:
        async with opened(backend_factory) as backend:
            await backend.register(ONE, 10 * self.ttl)
            await backend.register(TWO, 10 * self.ttl)
            await backend.register(ONE, self.ttl)
            await self.advance(clock, 1.25 * self.ttl)
            await check(backend, TWO)

    @in_loop
    async def test_renewal_replaces_the_record(self, backend_factory: Factory) -> None:
        changed = ServiceRecord(ONE.service, ONE.address, ("com.foo", "com.new"), {"zone": "b"})
        async with opened(backend_factory) as backend:
            await backend.register(ONE, self.ttl)
            await backend.register(changed, self.ttl)
            await check(backend, changed)

    @in_loop
    async def test_name_is_held(self, backend_factory: Factory, clock: Clock) -> None:
        async with opened(backend_factory) as backend:
            await backend.register(ONE, self.ttl)
            await self.advance(clock, 0.6 * self.ttl)
            with pytest.raises(AccessDenied):
                await backend.register(RIVAL, self.ttl)
            await check(backend, ONE)
            # The attempt must not have renewed the holder's lease either.
            await self.advance(clock, 0.65 * self.ttl)
            await check(backend)

    @in_loop
    async def test_name_is_free_after_the_lease(
        self, backend_factory: Factory, clock: Clock
    ) -> None:
        async with opened(backend_factory) as backend:
            await backend.register(ONE, self.ttl)
            await self.advance(clock, 1.25 * self.ttl)
            await backend.register(RIVAL, self.ttl)
            await check(backend, RIVAL)

    @in_loop
    async def test_unregistered_is_gone(self, backend_factory: Factory) -> None:
        async with opened(backend_factory) as backend:
            await backend.register(ONE, self.ttl)
            await backend.register(TWO, self.ttl)
            await backend.unregister(ONE.service, ONE.address)
            await check(backend, TWO)
            await backend.register(RIVAL, self.ttl)
            await check(backend, TWO, RIVAL)

    @in_loop
    async def test_only_the_holder_unregisters(self, backend_factory: Factory) -> None:
        async with opened(backend_factory) as backend:
            await backend.register(ONE, self.ttl)
            await backend.unregister(ONE.service, RIVAL.address)
            await backend.unregister("/nobody", ONE.address)
            await check(backend, ONE)

    @in_loop
    async def test_registered_anew_has_a_new_lease(
        self, backend_factory: Factory, clock: Clock
    ) -> None:
        async with opened(backend_factory) as backend:
            await backend.register(ONE, self.ttl)
            await self.advance(clock, 0.6 * self.ttl)
            await backend.unregister(ONE.service, ONE.address)
            await backend.register(ONE, self.ttl)
            await self.advance(clock, 0.6 * self.ttl)
            await check(backend, ONE)
            await self.advance(clock, 0.65 * self.ttl)
            await check(backend)

    @in_loop
    async def test_names_are_taken_literally(self, backend_factory: Factory) -> None:
        names = ("com.foo", "com%foo", "com_foo", "COM.FOO", "com.*", "c'o\"m\\", " com.foo\n", "")
        records = [
            ServiceRecord(f"/{name}/служба/☃/𝄞", f"ipc://{name}/é", (name,), {"ключ": [name, "𝄞"]})
            for name in names
        ]
        async with opened(backend_factory) as backend:
            for record in records:
                await backend.register(record, self.ttl)
            await check(backend, *records)
            for record in records:
                await backend.unregister(record.service, record.address)
            await check(backend)

    @in_loop
    async def test_large_record(self, backend_factory: Factory) -> None:
        large = ServiceRecord(
            "/" + "s" * 10_000,
            ONE.address,
            [f"com.{'i' * 100}.{number}" for number in range(300)],
            {"text": "ü" * 500_000, "number": -1.5, "nothing": None, "yes": True, "list": [[], {}]},
        )
        async with opened(backend_factory) as backend:
            await backend.register(large, self.ttl)
            assert list(await backend.list()) == [large]
            for interface in (large.interfaces[0], large.interfaces[-1]):
                assert list(await backend.find(interface, large.service)) == [large]

    @in_loop
    async def test_many_records(self, backend_factory: Factory) -> None:
        records = [
            ServiceRecord(f"/service/{number}", f"tcp://10.0.0.1:{number}", (f"i{number % 7}",))
            for number in range(200)
        ]
        async with opened(backend_factory) as backend:
            for record in records:
                await backend.register(record, 100 * self.ttl)  # looking at all takes its time
            await check(backend, *records)

    @in_loop
    async def test_one_of_many_wins_the_name(self, backend_factory: Factory) -> None:
        async with opened(backend_factory) as backend:
            await self._contend([backend] * 8)

    @in_loop
    async def test_in_threads(self, backend_factory: Factory) -> None:
        async with opened(
            backend_factory, without_loop=("register", "unregister", "find", "list")
        ) as backend:

            def work(number: int) -> None:
                own = ServiceRecord(f"/own/{number}", f"tcp://10.0.1.{number}:1", ("com.own",))
                rival = ServiceRecord("/contended", own.address, ("com.contended",))
                for _ in range(25):
                    at_once(backend.register(own, self.ttl))
                    try:
                        at_once(backend.register(rival, self.ttl))
                    except AccessDenied:
                        continue
                    time.sleep(0.000_5)  # s; give others the occasion to take it away
                    assert list(at_once(backend.find("com.contended"))) == [rival]
                    at_once(backend.unregister(rival.service, rival.address))

            in_threads(8, work)
            assert {record.service for record in await backend.list()} == {
                f"/own/{number}" for number in range(8)
            }

    @in_loop
    async def test_persistent(self, backend_factory: Factory, clock: Clock) -> None:
        async with opened(backend_factory, Guarantee.PERSISTENT) as backend:
            await backend.register(ONE, self.ttl)
            await backend.register(TWO, 10 * self.ttl)
        async with opened(backend_factory) as backend:
            await check(backend, ONE, TWO)
            with pytest.raises(AccessDenied):
                await backend.register(RIVAL, self.ttl)
            await self.advance(clock, 1.25 * self.ttl)
        async with opened(backend_factory) as backend:
            await check(backend, TWO)

    @in_loop
    async def test_shared(self, backend_factory: Factory, clock: Clock) -> None:
        async with (
            opened(backend_factory, Guarantee.SHARED) as here,
            opened(backend_factory) as there,
        ):
            await here.register(ONE, self.ttl)
            await there.register(TWO, 10 * self.ttl)
            await self.settle()
            await check(here, ONE, TWO)
            await check(there, ONE, TWO)
            with pytest.raises(AccessDenied):
                await there.register(RIVAL, self.ttl)
            await there.unregister(ONE.service, ONE.address)
            await self.settle()
            await check(here, TWO)
            await self.advance(clock, 0.5 * self.ttl)
            await there.register(ONE, self.ttl)
            await self.advance(clock, 0.75 * self.ttl)
            await check(here, ONE, TWO)
            await self.advance(clock, 0.5 * self.ttl)
            await check(here, TWO)

    @in_loop
    async def test_shared_name_has_one_winner(self, backend_factory: Factory) -> None:
        async with (
            opened(backend_factory, Guarantee.SHARED) as here,
            opened(backend_factory) as there,
        ):
            await self._contend([here, there] * 4)

    async def _contend(self, backends: list[NameserverBackend]) -> None:
        """Let each of `backends` register one name from an address of its own."""
        rivals = [
            ServiceRecord("/contended", f"tcp://10.0.0.{number}:1", ("com.contended",))
            for number in range(len(backends))
        ]
        outcomes = await asyncio.gather(
            *(
                backend.register(rival, self.ttl)
                for backend, rival in zip(backends, rivals, strict=True)
            ),
            return_exceptions=True,
        )
        winners = [
            rival for rival, outcome in zip(rivals, outcomes, strict=True) if outcome is None
        ]
        losses = [outcome for outcome in outcomes if isinstance(outcome, AccessDenied)]
        assert (len(winners), len(losses)) == (1, len(backends) - 1), outcomes
        await self.settle()
        for backend in backends:
            await check(backend, *winners)
