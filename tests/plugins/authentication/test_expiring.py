"""A store of values that expire."""

from __future__ import annotations

import pytest

from pycom_core.testing import Clock
from pycom_plugins.authentication.expiring import Expiring


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_forgets_at_the_end_of_the_lifetime(clock: Clock) -> None:
    memory: Expiring[int] = Expiring(5, 10, clock.now)
    memory.put("a", 1)
    clock.advance(4.9)
    assert memory.get("a") == 1
    clock.advance(0.1)
    assert memory.get("a") is None


def test_what_is_forgotten_is_gone(clock: Clock) -> None:
    memory: Expiring[int] = Expiring(5, 10, clock.now)
    for number in range(8):
        memory.put(str(number), number)
    clock.advance(5)
    memory.put("new", 0)
    assert len(memory) == 1


def test_another_value_lives_as_long_as_a_first_one(clock: Clock) -> None:
    memory: Expiring[int] = Expiring(5, 10, clock.now)
    memory.put("a", 1)
    memory.put("b", 1)
    clock.advance(3)
    memory.put("a", 2)
    clock.advance(3)
    assert memory.get("a") == 2
    assert memory.get("b") is None


def test_the_oldest_goes_first(clock: Clock) -> None:
    memory: Expiring[int] = Expiring(5, 3, clock.now)
    for key in "abacd":
        memory.put(key, 0)
    assert [key for key in "abcd" if memory.get(key) is not None] == ["a", "c", "d"]


def test_no_lifetime_is_no_memory(clock: Clock) -> None:
    memory: Expiring[int] = Expiring(0, 3, clock.now)
    memory.put("a", 1)
    assert memory.get("a") is None
    assert len(memory) == 0


def test_drop(clock: Clock) -> None:
    memory: Expiring[int] = Expiring(5, 3, clock.now)
    memory.put("a", 1)
    memory.drop("a")
    memory.drop("never there")
    assert memory.get("a") is None
