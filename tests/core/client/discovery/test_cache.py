"""The cache of nameservers' answers in a context."""

from __future__ import annotations

import pytest

from pycom_core.client.discovery._cache import LEASE, REFRESH, RecordCache
from pycom_core.records import ServiceRecord
from pycom_core.testing import Clock

KEY = ("com.foo", None)
OTHER = ("com.foo", "/two")


def record(service: str, address: str = "") -> ServiceRecord:
    return ServiceRecord(service, address or f"tcp:/{service}:1", ["com.foo"])


ONE, TWO = record("/one"), record("/two")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> RecordCache:
    return RecordCache(clock.now)


def test_nothing_is_known_at_first(cache: RecordCache) -> None:
    assert not cache.get(KEY)
    assert not cache.wants_refresh(KEY)


def test_interface_and_service_are_the_key(cache: RecordCache) -> None:
    cache.put(KEY, [ONE, TWO])
    assert cache.get(KEY) == [ONE, TWO]
    assert not cache.get(OTHER)
    assert not cache.get(("com.bar", None))


def test_answer_serves_for_a_lease(cache: RecordCache, clock: Clock) -> None:
    cache.put(KEY, [ONE])
    clock.advance(LEASE)
    assert cache.get(KEY) == [ONE]
    clock.advance(0.001)
    assert not cache.get(KEY)


def test_new_answer_has_a_lease_of_its_own(cache: RecordCache, clock: Clock) -> None:
    cache.put(KEY, [ONE])
    clock.advance(LEASE)
    cache.put(KEY, [TWO])
    clock.advance(LEASE)
    assert cache.get(KEY) == [TWO]


def test_empty_answer_is_as_good_as_none(cache: RecordCache) -> None:
    cache.put(KEY, [ONE])
    cache.put(KEY, [])
    assert not cache.get(KEY)


def test_refresh_falls_to_one_caller(cache: RecordCache, clock: Clock) -> None:
    cache.put(KEY, [ONE])
    clock.advance(REFRESH - 0.001)
    assert not cache.wants_refresh(KEY)
    clock.advance(0.001)
    assert cache.wants_refresh(KEY)
    assert not cache.wants_refresh(KEY)
    assert cache.get(KEY) == [ONE], "it serves until the new one is there"


def test_refreshed_answer_is_refreshed_in_its_turn(cache: RecordCache, clock: Clock) -> None:
    for _ in range(3):
        cache.put(KEY, [ONE])
        clock.advance(REFRESH)
        assert cache.wants_refresh(KEY)


def test_refresh_that_brought_nothing_is_tried_again(cache: RecordCache, clock: Clock) -> None:
    cache.put(KEY, [ONE])
    clock.advance(REFRESH)
    assert cache.wants_refresh(KEY)
    clock.advance(REFRESH)
    assert cache.wants_refresh(KEY)
    clock.advance(LEASE - 2 * REFRESH + 0.001)
    assert not cache.get(KEY), "asking does not make an answer younger"


def test_forget_is_for_one_key(cache: RecordCache) -> None:
    cache.put(KEY, [ONE])
    cache.put(OTHER, [TWO])
    cache.forget(KEY)
    cache.forget(KEY)
    assert not cache.get(KEY)
    assert cache.get(OTHER) == [TWO]


def test_address_is_dropped_from_all_answers(cache: RecordCache) -> None:
    again = record("/moved", TWO.address)
    cache.put(KEY, [ONE, TWO, again])
    cache.put(OTHER, [TWO])
    cache.drop(TWO.address)
    assert cache.get(KEY) == [ONE]
    assert not cache.get(OTHER)


def test_answer_that_lost_a_record_is_as_old_as_before(cache: RecordCache, clock: Clock) -> None:
    cache.put(KEY, [ONE, TWO])
    clock.advance(REFRESH)
    assert cache.wants_refresh(KEY)
    cache.drop(TWO.address)
    assert not cache.wants_refresh(KEY), "somebody asks already"
    clock.advance(LEASE)
    assert not cache.get(KEY)


def test_unknown_address_drops_nothing(cache: RecordCache) -> None:
    cache.put(KEY, [ONE, TWO])
    cache.drop("tcp://nobody:1")
    assert cache.get(KEY) == [ONE, TWO]


def test_records_in_use_are_not_changed(cache: RecordCache) -> None:
    given = [ONE, TWO]
    cache.put(KEY, given)
    seen = cache.get(KEY)
    cache.drop(TWO.address)
    assert given == seen == [ONE, TWO]
