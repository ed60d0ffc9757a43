"""The contract of balancers."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from pycom_core.backends import Balancer, ServiceRecord
from pycom_core.testing.contracts.common import in_threads

Factory = Callable[[], Balancer]


def records(count: int, start: int = 0) -> list[ServiceRecord]:
    """Providers of one interface, each at an address of its own."""
    return [
        ServiceRecord(f"/service/{number}", f"tcp://service-{number}:2013", ("com.foo",))
        for number in range(start, start + count)
    ]


def use(
    balancer: Balancer, candidates: list[ServiceRecord], key: str | None = None
) -> ServiceRecord:
    """Make one call that takes a ms and succeeds."""
    chosen = balancer.choose(candidates, key)
    balancer.observe(chosen, 0.001, None)
    return chosen


class BalancerContract:
    """Subclass it and supply the fixture `balancer_factory`: a callable giving a balancer.

    The suite knows no strategy: it wants sound choices and no leaks, and that, over many keys,
    no healthy service is left out.
    """

    #: The memory that a balancer may gain over 10,000 addresses it never sees again, in bytes.
    leak: int = 200_000

    @pytest.fixture
    def balancer_factory(self) -> Factory:
        raise NotImplementedError("supply the fixture balancer_factory")

    def test_only_one(self, balancer_factory: Factory) -> None:
        balancer, only = balancer_factory(), records(1)
        assert [use(balancer, only) for _ in range(5)] == only * 5

    def test_chooses_one_of_them(self, balancer_factory: Factory) -> None:
        balancer = balancer_factory()
        for number in range(300):
            # Services come and go, and one that is gone must not be chosen.
            candidates = records(1 + number % 7, start=number // 10)
            assert use(balancer, candidates) in candidates
            assert use(balancer, candidates, f"key {number % 3}") in candidates

    def test_leaves_the_records_alone(self, balancer_factory: Factory) -> None:
        balancer, candidates = balancer_factory(), records(5)
        for _ in range(20):
            use(balancer, candidates)
            assert candidates == records(5)
        assert balancer.choose(tuple(candidates)) in candidates

    def test_nobody_is_left_out(self, balancer_factory: Factory) -> None:
        balancer, candidates = balancer_factory(), records(4)
        chosen = [use(balancer, candidates, f"key {number}") for number in range(500)]
        assert {record.service for record in chosen} == {record.service for record in candidates}

    def test_unused_choice_is_taken_back(self, balancer_factory: Factory) -> None:
        balancer, candidates = balancer_factory(), records(3)
        for _ in range(50):
            balancer.observe(balancer.choose(candidates), None, None)
        assert use(balancer, candidates) in candidates

    def test_all_of_them_fail(self, balancer_factory: Factory) -> None:
        balancer, candidates = balancer_factory(), records(3)
        for latency in (None, 0.0, 0.001, 60.0) * 20:
            balancer.observe(balancer.choose(candidates), latency, ConnectionError("refused"))
        assert use(balancer, candidates) in candidates

    def test_takes_any_observation(self, balancer_factory: Factory) -> None:
        balancer, candidates = balancer_factory(), records(3)
        # For records that were never chosen, and more often than they were chosen.
        for record in (*records(1, start=50), *candidates, *candidates):
            balancer.observe(record, 0.001, None)
        chosen = [use(balancer, candidates, f"key {number}") for number in range(500)]
        assert {record.service for record in chosen} == {record.service for record in candidates}

    def test_threads(self, balancer_factory: Factory) -> None:
        balancer, candidates = balancer_factory(), records(5)

        def work(number: int) -> None:
            for step in range(300):
                some = candidates[step % 4 :]
                assert use(balancer, some, f"key {number % 2}") in some

        in_threads(8, work)

    def test_forgets_what_is_gone(self, balancer_factory: Factory) -> None:
        balancer = balancer_factory()

        def meet(addresses: range) -> None:
            for number in addresses:
                use(balancer, records(1, start=number), f"key {number}")

        tracemalloc.start()
        try:
            meet(range(10_000))
            before, _peak = tracemalloc.get_traced_memory()
            meet(range(10_000, 20_000))
            after, _peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert after - before < self.leak
