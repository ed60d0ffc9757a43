"""The contract suites find broken backends: each of their tests fails for one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from core.testing.contracts.suites import failing, suite_of

from pycom_core.backends import Balancer, Guarantee, ServiceRecord
from pycom_core.errors import AccessDenied
from pycom_core.testing import (
    BalancerContract,
    Clock,
    NameserverBackendContract,
    SessionStoreContract,
)
from pycom_core.testing.contracts.common import at_once
from pycom_plugins.balancing import RandomBalancer
from pycom_plugins.memory.nameserver import MemoryBackend
from pycom_plugins.memory.sessions import MemoryStore

pytest_plugins = ["pytester"]

ALL = Guarantee.PERSISTENT | Guarantee.SHARED | Guarantee.LINEARIZABLE


def made(backend: Callable[..., Any]) -> Callable[[], Mapping[str, Any]]:
    """Return a function that gives the fixtures of a suite for a backend, a store or a balancer."""

    def fixtures() -> Mapping[str, Any]:
        clock = Clock()
        return {
            "clock": clock,
            "backend_factory": lambda: backend(clock.now),
            "store_factory": lambda: backend(clock.now),
            "balancer_factory": lambda: backend(),
        }

    return fixtures


# Nameserver backends.


class Forgetful(MemoryBackend):
    async def register(self, record: ServiceRecord, ttl: float) -> None:
        pass


class Haunted(MemoryBackend):
    async def list(self) -> Sequence[ServiceRecord]:
        return [*await super().list(), ServiceRecord("/ghost", "tcp://ghost:1", ())]


class IgnoresTheName(MemoryBackend):
    async def find(self, interface: str, service: str | None = None) -> Sequence[ServiceRecord]:
        return await super().find(interface)


class HidesTheIdle(MemoryBackend):
    async def list(self) -> Sequence[ServiceRecord]:
        return [record for record in await super().list() if record.interfaces]


class CountsTwice(MemoryBackend):
    async def find(self, interface: str, service: str | None = None) -> Sequence[ServiceRecord]:
        found = await super().find(interface, service)
        return [record for record in found for name in record.interfaces if name == interface]


class ShowsItsInside(MemoryBackend):
    async def list(self) -> Any:
        await super().list()
        return self._services.values()


class Everlasting(MemoryBackend):
    async def register(self, record: ServiceRecord, ttl: float) -> None:
        await super().register(record, 1000 * ttl)


class Unrenewable(MemoryBackend):
    async def register(self, record: ServiceRecord, ttl: float) -> None:
        if record not in await self.list():
            await super().register(record, ttl)


class OnlyProlongs(MemoryBackend):
    async def register(self, record: ServiceRecord, ttl: float) -> None:
        before = self._leases._ends.get(record.service, 0.0)
        await super().register(record, max(ttl, before - self._clock()))


class KeepsTheFirstRecord(MemoryBackend):
    async def register(self, record: ServiceRecord, ttl: float) -> None:
        held = self._services.get(record.service)
        same = held is not None and held.address == record.address
        await super().register(held if held is not None and same else record, ttl)


class GivesNamesAway(MemoryBackend):
    async def register(self, record: ServiceRecord, ttl: float) -> None:
        self._remove(record.service)
        await super().register(record, ttl)


class RefusalRenews(MemoryBackend):
    async def register(self, record: ServiceRecord, ttl: float) -> None:
        try:
            await super().register(record, ttl)
        except AccessDenied:
            self._leases.set(record.service, self._clock() + ttl)
            raise


class NeverFrees(MemoryBackend):
    """Hides ended leases, but refuses their names for ever."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.holders: dict[str, str] = {}

    async def register(self, record: ServiceRecord, ttl: float) -> None:
        if self.holders.setdefault(record.service, record.address) != record.address:
            raise AccessDenied(record.service)
        await super().register(record, ttl)

    async def unregister(self, service: str, address: str) -> None:
        self.holders.pop(service, None)
        await super().unregister(service, address)


class KeepsTheUnregistered(MemoryBackend):
    async def unregister(self, service: str, address: str) -> None:
        pass


class LetsAnyoneUnregister(MemoryBackend):
    async def unregister(self, service: str, address: str) -> None:
        held = self._services.get(service)
        await super().unregister(service, held.address if held else address)


class OldLeaseStrikes(MemoryBackend):
    """Ends a lease that belonged to an earlier registration of the name."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.ends: dict[str, float] = {}

    async def register(self, record: ServiceRecord, ttl: float) -> None:
        known = record.service in self._services
        end = self._clock() + ttl
        self.ends[record.service] = end if known else self.ends.get(record.service, end)
        await super().register(record, self.ends[record.service] - self._clock())


class IgnoresCase(MemoryBackend):
    async def find(self, interface: str, service: str | None = None) -> Sequence[ServiceRecord]:
        found = await super().list()
        return [
            record
            for record in found
            if interface.lower() in [name.lower() for name in record.interfaces]
            and service in (None, record.service)
        ]


class Truncates(MemoryBackend):
    async def register(self, record: ServiceRecord, ttl: float) -> None:
        cut = {key: str(value)[:1000] for key, value in record.metadata.items()}
        small = all(value == record.metadata[key] for key, value in cut.items())
        if record.metadata and not small and "text" in cut:
            record = ServiceRecord(record.service, record.address, record.interfaces, cut)
        await super().register(record, ttl)


class FirstPageOnly(MemoryBackend):
    async def list(self) -> Sequence[ServiceRecord]:
        return (await super().list())[:100]


class LooksThenLeaps(MemoryBackend):
    """Lets others in between its look and its write."""

    async def register(self, record: ServiceRecord, ttl: float) -> None:
        held = self._services.get(record.service)
        await asyncio.sleep(0)
        if held is None:
            self._remove(record.service)
        await super().register(record, ttl)


class LooksThenLeapsInThreads(MemoryBackend):
    async def register(self, record: ServiceRecord, ttl: float) -> None:
        held = self._services.get(record.service)
        time.sleep(0.000_1)  # noqa: ASYNC251 - to let other threads in
        if held is None:
            with self._lock:
                self._remove(record.service)
        at_once(super().register(record, ttl))


class Boasts(MemoryBackend):
    guarantees = ALL


NAMESERVER_BACKENDS: dict[type[MemoryBackend], set[str]] = {
    Forgetful: {"test_registered_is_found"},
    Haunted: {"test_empty"},
    IgnoresTheName: {"test_registered_is_found"},
    HidesTheIdle: {"test_without_interfaces_is_listed"},
    CountsTwice: {"test_interface_named_twice"},
    ShowsItsInside: {"test_result_is_a_snapshot"},
    Everlasting: {"test_lease_ends"},
    Unrenewable: {"test_renewed_lease_lives_on"},
    OnlyProlongs: {"test_last_ttl_counts"},
    KeepsTheFirstRecord: {"test_renewal_replaces_the_record"},
    GivesNamesAway: {"test_name_is_held", "test_one_of_many_wins_the_name"},
    RefusalRenews: {"test_name_is_held"},
    NeverFrees: {"test_name_is_free_after_the_lease"},
    KeepsTheUnregistered: {"test_unregistered_is_gone"},
    LetsAnyoneUnregister: {"test_only_the_holder_unregisters"},
    OldLeaseStrikes: {"test_registered_anew_has_a_new_lease"},
    IgnoresCase: {"test_names_are_taken_literally"},
    Truncates: {"test_large_record"},
    FirstPageOnly: {"test_many_records"},
    LooksThenLeaps: {"test_one_of_many_wins_the_name"},
    LooksThenLeapsInThreads: {"test_in_threads"},
    Boasts: {"test_persistent", "test_shared", "test_shared_name_has_one_winner"},
}


# Session stores.


class Oblivious(MemoryStore):
    async def save(self, session_id: str, data: dict[str, Any], ttl: float) -> None:
        pass


class Obliging(MemoryStore):
    async def load(self, session_id: str) -> dict[str, Any] | None:
        return await super().load(session_id) or {}


class TakesEmptyForNone(MemoryStore):
    async def load(self, session_id: str) -> dict[str, Any] | None:
        return await super().load(session_id) or None


class Merges(MemoryStore):
    async def save(self, session_id: str, data: dict[str, Any], ttl: float) -> None:
        before = await self.load(session_id) or {}
        await super().save(session_id, {**before, **data}, ttl)


class Immortal(MemoryStore):
    async def save(self, session_id: str, data: dict[str, Any], ttl: float) -> None:
        await super().save(session_id, data, 1000 * ttl)


class Unprolonged(MemoryStore):
    async def save(self, session_id: str, data: dict[str, Any], ttl: float) -> None:
        end = self._leases._ends.get(session_id, self._clock() + ttl)
        await super().save(session_id, data, end - self._clock())


class NeverDrops(MemoryStore):
    async def drop(self, session_id: str) -> None:
        pass


class StrictAboutDrops(MemoryStore):
    async def drop(self, session_id: str) -> None:
        del self._sessions[session_id]


class OldLifeStrikes(MemoryStore):
    """Ends a session whose id was dropped and used again at the time of the old one."""

    async def save(self, session_id: str, data: dict[str, Any], ttl: float) -> None:
        end = self._leases._ends.get(session_id, 0.0)
        again = session_id not in self._sessions and end > self._clock()
        await super().save(session_id, data, end - self._clock() if again else ttl)

    async def drop(self, session_id: str) -> None:
        self._sessions.pop(session_id, None)

    def _expire(self) -> None:
        for session_id in self._leases.expire(self._clock()):
            self._sessions.pop(session_id, None)


class Tidies(MemoryStore):
    """Trims the ids."""

    async def load(self, session_id: str) -> dict[str, Any] | None:
        return await super().load(session_id.strip())

    async def save(self, session_id: str, data: dict[str, Any], ttl: float) -> None:
        await super().save(session_id.strip(), data, ttl)


class Small(MemoryStore):
    async def save(self, session_id: str, data: dict[str, Any], ttl: float) -> None:
        await super().save(session_id, {} if len(str(data)) > 65_535 else data, ttl)


class OneSlot(MemoryStore):
    """Mixes up what several tasks do at one time."""

    slot = ""

    async def save(self, session_id: str, data: dict[str, Any], ttl: float) -> None:
        self.slot = session_id
        await asyncio.sleep(0)
        await super().save(self.slot, data, ttl)


class OneSlotInThreads(MemoryStore):
    slot = ""

    async def save(self, session_id: str, data: dict[str, Any], ttl: float) -> None:
        self.slot = session_id
        time.sleep(0.000_1)  # noqa: ASYNC251 - to let other threads in
        at_once(super().save(self.slot, data, ttl))


class BoastingStore(MemoryStore):
    guarantees = ALL


SESSION_STORES: dict[type[MemoryStore], set[str]] = {
    Oblivious: {"test_saved_is_loaded"},
    Obliging: {"test_unknown_is_none"},
    TakesEmptyForNone: {"test_empty_session_is_a_session"},
    Merges: {"test_save_replaces"},
    Immortal: {"test_idle_life_ends"},
    Unprolonged: {"test_save_prolongs", "test_last_ttl_counts"},
    NeverDrops: {"test_dropped_is_gone"},
    StrictAboutDrops: {"test_dropped_is_gone"},
    OldLifeStrikes: {"test_saved_anew_has_a_new_life"},
    Tidies: {"test_ids_are_taken_literally"},
    Small: {"test_large_session"},
    OneSlot: {"test_many_at_once"},
    OneSlotInThreads: {"test_in_threads"},
    BoastingStore: {"test_persistent", "test_shared"},
}


# Balancers.


class NeedsTwo(RandomBalancer):
    def choose(self, records: Sequence[ServiceRecord], key: str | None = None) -> ServiceRecord:
        return self._rng.sample(records, 2)[0]


class Faithful(Balancer):
    """Stays with the one it chose first, even when that is gone."""

    first: ServiceRecord | None = None

    def choose(self, records: Sequence[ServiceRecord], key: str | None = None) -> ServiceRecord:
        self.first = self.first or records[0]
        return self.first


class Shuffles(RandomBalancer):
    def choose(self, records: Sequence[ServiceRecord], key: str | None = None) -> ServiceRecord:
        with contextlib.suppress(TypeError):
            self._rng.shuffle(records)  # type: ignore[arg-type]
        return records[0]


class AlwaysTheFirst(Balancer):
    def choose(self, records: Sequence[ServiceRecord], key: str | None = None) -> ServiceRecord:
        return records[0]


class WantsALatency(RandomBalancer):
    def observe(
        self, record: ServiceRecord, latency: float | None, error: BaseException | None
    ) -> None:
        self.last = 1 / latency  # type: ignore[operator]


class BansWhatFails(RandomBalancer):
    def __init__(self) -> None:
        super().__init__()
        self.banned: set[str] = set()

    def choose(self, records: Sequence[ServiceRecord], key: str | None = None) -> ServiceRecord:
        return super().choose([record for record in records if record.service not in self.banned])

    def observe(
        self, record: ServiceRecord, latency: float | None, error: BaseException | None
    ) -> None:
        if error is not None:
            self.banned.add(record.service)


class Countsdown(RandomBalancer):
    """Avoids services that it observed more often than it chose them."""

    def __init__(self) -> None:
        super().__init__()
        self.in_flight: dict[str, int] = {}

    def choose(self, records: Sequence[ServiceRecord], key: str | None = None) -> ServiceRecord:
        chosen = super().choose(records)
        self.in_flight[chosen.service] = self.in_flight.get(chosen.service, 0) + 1
        return chosen

    def observe(
        self, record: ServiceRecord, latency: float | None, error: BaseException | None
    ) -> None:
        self.in_flight[record.service] -= 1


class NotForThreads(Balancer):
    candidates: Sequence[ServiceRecord] = ()

    def __init__(self) -> None:
        self.rng = RandomBalancer()

    def choose(self, records: Sequence[ServiceRecord], key: str | None = None) -> ServiceRecord:
        self.candidates = records
        if threading.active_count() > 1:
            time.sleep(0.000_05)
        return self.rng.choose(self.candidates)


class Hoards(RandomBalancer):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def choose(self, records: Sequence[ServiceRecord], key: str | None = None) -> ServiceRecord:
        self.seen.update(record.address for record in records)
        return super().choose(records)


BALANCERS: dict[type[Balancer], set[str]] = {
    NeedsTwo: {"test_only_one"},
    Faithful: {"test_chooses_one_of_them"},
    Shuffles: {"test_leaves_the_records_alone"},
    AlwaysTheFirst: {"test_nobody_is_left_out"},
    WantsALatency: {"test_unused_choice_is_taken_back"},
    BansWhatFails: {"test_all_of_them_fail"},
    Countsdown: {"test_takes_any_observation"},
    NotForThreads: {"test_threads"},
    Hoards: {"test_forgets_what_is_gone"},
}

CASES: list[Any] = [
    pytest.param(contract, broken, expected, id=broken.__name__)
    for contract, cases in (
        (NameserverBackendContract, NAMESERVER_BACKENDS),
        (SessionStoreContract, SESSION_STORES),
        (BalancerContract, BALANCERS),
    )
    for broken, expected in cases.items()  # type: ignore[attr-defined]
]


@pytest.mark.parametrize(("contract", "broken", "expected"), CASES)
def test_broken_is_caught(contract: type, broken: type, expected: set[str]) -> None:
    failed = failing(contract, made(broken))
    assert expected <= failed
    # It fails because of its own fault, and passes the other tests.
    assert failed < suite_of(contract)


@pytest.mark.parametrize(
    ("contract", "sound"),
    [
        (NameserverBackendContract, MemoryBackend),
        (SessionStoreContract, MemoryStore),
        (BalancerContract, RandomBalancer),
    ],
)
def test_sound_passes(contract: type, sound: Callable[..., Any]) -> None:
    assert failing(contract, made(sound)) == set()


@pytest.mark.parametrize(
    ("contract", "cases"),
    [
        (NameserverBackendContract, NAMESERVER_BACKENDS),
        (SessionStoreContract, SESSION_STORES),
        (BalancerContract, BALANCERS),
    ],
)
def test_every_test_is_seen_to_fail(contract: type, cases: dict[type, set[str]]) -> None:
    assert set().union(*cases.values()) == suite_of(contract)


@pytest.mark.parametrize(
    ("contract", "fixture"),
    [
        (NameserverBackendContract, "backend_factory"),
        (SessionStoreContract, "store_factory"),
        (BalancerContract, "balancer_factory"),
    ],
)
def test_missing_fixture_is_named(pytester: pytest.Pytester, contract: type, fixture: str) -> None:
    pytester.makepyfile(
        f"from pycom_core.testing import {contract.__name__}\n"
        f"class TestMine({contract.__name__}):\n    pass\n"
    )
    result = pytester.runpytest_inprocess("-x", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines([f"*NotImplementedError: supply the fixture {fixture}*"])


def test_what_is_not_claimed_is_skipped_and_what_is_claimed_is_not(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        import pytest
        from pycom_core.backends import Guarantee
        from pycom_core.testing import SessionStoreContract
        from pycom_plugins.memory.sessions import MemoryStore

        class Boasting(MemoryStore):
            guarantees = Guarantee.PERSISTENT

        class TestModest(SessionStoreContract):
            @pytest.fixture
            def store_factory(self, clock):
                return lambda: MemoryStore(clock.now)

        class TestBoasting(SessionStoreContract):
            @pytest.fixture
            def store_factory(self, clock):
                return lambda: Boasting(clock.now)
        """
    )
    result = pytester.runpytest_inprocess("-k", "persistent or shared", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1, skipped=3)
    # Assertions of the suites are rewritten, so that they show what they compared.
    result.stdout.fnmatch_lines(["E*assert None == {'a': 1}*"])
