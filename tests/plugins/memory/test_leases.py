"""Leases in memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pycom_plugins.memory.leases import Leases


def test_ends_are_exclusive() -> None:
    leases: Leases[str] = Leases()
    leases.set("a", 10)
    assert leases.expire(9.9) == []
    assert leases.expire(10) == ["a"]
    assert leases.expire(10) == []


def test_renewal_does_not_grow_the_heap() -> None:
    leases: Leases[str] = Leases()
    for now in range(100_000):
        assert leases.expire(now) == []
        leases.set("a", now + 60)
    assert len(leases._heap) == 1


def test_coming_and_going_does_not_grow_the_heap() -> None:
    leases: Leases[str] = Leases()
    for number in range(10_000):
        leases.set("same", 60)
        leases.drop("same")
        leases.set(f"other {number}", 60)
        leases.drop(f"other {number}")
    assert len(leases._heap) < 100


def test_shortening_does_not_grow_the_heap() -> None:
    leases: Leases[str] = Leases()
    for number in range(10_000):
        leases.set("a", 20_000 - number)
    assert len(leases._heap) < 100
    assert leases.expire(10_001) == ["a"]


KEYS = st.sampled_from("abcde")
STEPS = st.one_of(
    st.tuples(st.just("set"), KEYS, st.integers(0, 20)),
    st.tuples(st.just("drop"), KEYS, st.just(0)),
    st.tuples(st.just("expire"), st.just(""), st.integers(0, 5)),
)


@given(st.lists(STEPS, max_size=200))
def test_does_what_a_plain_dict_does(steps: list[tuple[str, str, int]]) -> None:
    leases: Leases[str] = Leases()
    plain: dict[str, int] = {}
    now = 0
    for step, key, number in steps:
        if step == "set":
            leases.set(key, now + number)
            plain[key] = now + number
        elif step == "drop":
            leases.drop(key)
            plain.pop(key, None)
        else:
            now += number
            assert sorted(leases.expire(now)) == sorted(k for k in plain if plain[k] <= now)
            plain = {key: end for key, end in plain.items() if end > now}
