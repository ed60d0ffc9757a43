"""The three strategies."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from pycom_core.backends import Balancer, ServiceRecord
from pycom_core.testing import BalancerContract, Clock
from pycom_plugins import balancing
from pycom_plugins.balancing import LeastLoadedBalancer, RandomBalancer, RoundRobinBalancer


class TestRandomContract(BalancerContract):
    @pytest.fixture
    def balancer_factory(self) -> Callable[[], Balancer]:
        return RandomBalancer


class TestRoundRobinContract(BalancerContract):
    @pytest.fixture
    def balancer_factory(self) -> Callable[[], Balancer]:
        return RoundRobinBalancer


class TestLeastLoadedContract(BalancerContract):
    @pytest.fixture
    def balancer_factory(self) -> Callable[[], Balancer]:
        return LeastLoadedBalancer


def records(names: str) -> list[ServiceRecord]:
    return [ServiceRecord(f"/{name}", f"tcp://{name}:1", ("com.foo",)) for name in names]


def names(chosen: list[ServiceRecord]) -> str:
    return "".join(record.service[1:] for record in chosen)


def least_loaded(clock: Clock) -> LeastLoadedBalancer:
    return LeastLoadedBalancer(random.Random(1), clock.now)


def test_contribution() -> None:
    factories = balancing.pycom_balancers()
    assert {name: type(factory(name)) for name, factory in factories.items()} == {
        "random": RandomBalancer,
        "round-robin": RoundRobinBalancer,
        "least-loaded": LeastLoadedBalancer,
    }


def test_random_is_even() -> None:
    balancer = RandomBalancer(random.Random(1))
    counts = Counter(names([balancer.choose(records("abc")) for _ in range(3000)]))
    assert all(900 < counts[name] < 1100 for name in "abc")


def test_round_robin_goes_round() -> None:
    balancer = RoundRobinBalancer(random.Random(1))
    first = [balancer.choose(records("abcd")) for _ in range(4)]
    assert sorted(names(first)) == ["a", "b", "c", "d"]
    for order in ("abcd", "dcba", "bdac"):
        assert [balancer.choose(records(order)) for _ in range(4)] == first


def test_round_robin_begins_anywhere() -> None:
    beginnings = [RoundRobinBalancer(random.Random(seed)) for seed in range(50)]
    assert {names([balancer.choose(records("abc"))]) for balancer in beginnings} == set("abc")


def test_round_robin_keeps_a_position_for_each_key() -> None:
    balancer = RoundRobinBalancer(random.Random(1))
    chosen: dict[str, list[ServiceRecord]] = {"one": [], "two": []}
    for _ in range(10):
        for key, choices in chosen.items():
            choices.append(balancer.choose(records("ab"), key))
    for choices in chosen.values():
        assert Counter(names(choices)) == {"a": 5, "b": 5}


def test_round_robin_over_sets_that_take_turns() -> None:
    balancer = RoundRobinBalancer(random.Random(1))
    counts: Counter[str] = Counter()
    for _ in range(10):
        counts += Counter(names([balancer.choose(records("ab")), balancer.choose(records("xyz"))]))
    assert counts["a"] == counts["b"] == 5
    assert {counts["x"], counts["y"], counts["z"]} <= {3, 4}


def test_round_robin_while_records_come_and_go() -> None:
    balancer = RoundRobinBalancer(random.Random(1))
    for _ in range(6):
        balancer.choose(records("abc"))
    assert names([balancer.choose(records("abcd"))]) == "d"
    assert sorted(names([balancer.choose(records("abd")) for _ in range(3)])) == ["a", "b", "d"]


def test_least_loaded_prefers_the_fast() -> None:
    clock = Clock()
    balancer, counts = least_loaded(clock), Counter[str]()
    for _ in range(1000):
        chosen = balancer.choose(records("abc"))
        latency = 0.5 if chosen.service == "/a" else 0.01
        clock.advance(latency)
        balancer.observe(chosen, latency, None)
        counts[names([chosen])] += 1
    assert counts["a"] < 5
    assert counts["b"] > 300
    assert counts["c"] > 300


def test_least_loaded_counts_calls_in_flight() -> None:
    balancer, candidates = least_loaded(Clock()), records("abc")
    chosen = [balancer.choose(candidates) for _ in range(9)]
    assert Counter(names(chosen)) == {"a": 3, "b": 3, "c": 3}
    for record in chosen:
        if record.service == "/b":
            balancer.observe(record, None, None)
    assert names([balancer.choose(candidates) for _ in range(3)]) == "bbb"


def test_least_loaded_weighs_latency_against_calls_in_flight() -> None:
    balancer, candidates = least_loaded(Clock()), records("ab")
    for record, latency in zip(candidates, (0.01, 0.03), strict=True):
        balancer.choose([record])
        balancer.observe(record, latency, None)
    # The fourth call to the fast one costs more than the first to the slow one.
    counts = Counter(names([balancer.choose(candidates) for _ in range(8)]))
    assert counts == {"a": 6, "b": 2}


def test_least_loaded_avoids_errors_however_fast_they_come() -> None:
    balancer, counts = least_loaded(Clock()), Counter[str]()
    for _ in range(100):
        chosen = balancer.choose(records("ab"))
        broken = chosen.service == "/a"
        balancer.observe(chosen, 0.000_1 if broken else 0.05, OSError() if broken else None)
        counts[names([chosen])] += 1
    assert counts["a"] <= 2


@pytest.mark.parametrize("latency", [0.01, 0.0])
def test_least_loaded_gives_another_chance(latency: float) -> None:
    clock = Clock()
    balancer, candidates = least_loaded(clock), records("ab")
    slow = candidates[0]
    balancer.choose([slow])
    balancer.observe(slow, 2.0, None)
    chosen = []
    while slow not in chosen and len(chosen) < 300:
        chosen.append(balancer.choose(candidates))
        balancer.observe(chosen[-1], latency, None)
        clock.advance(1)
    assert chosen[-1] == slow
    assert len(chosen) > 10


def test_least_loaded_does_not_flood_a_newcomer() -> None:
    balancer, candidates = least_loaded(Clock()), records("ab")
    for record in candidates:
        balancer.choose([record])
        balancer.observe(record, 0.01, None)
    counts = Counter(names([balancer.choose(records("abn")) for _ in range(40)]))
    assert 10 < counts["n"] <= 22


def test_least_loaded_of_many_takes_the_better_of_two() -> None:
    balancer, candidates = least_loaded(Clock()), records("abcdefghijklmnopqrst")
    chosen = [balancer.choose(candidates) for _ in range(2000)]
    counts = Counter(names(chosen)).values()
    # Of purely random choices the most used of 20 would have some 125 of 2,000.
    assert max(counts) < 108
    assert min(counts) > 92
