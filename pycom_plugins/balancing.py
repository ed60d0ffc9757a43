"""Strategies to choose between services: `random`, `round-robin`, `least-loaded`."""

from __future__ import annotations

import itertools
import math
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pycom_core import hookimpl
from pycom_core.backends import Balancer

if TYPE_CHECKING:
    from pycom_core.records import ServiceRecord

#: The number of addresses that a strategy remembers, so that it forgets old ones some day.
MEMORY_LIMIT: Final = 4096


class RandomBalancer(Balancer):
    """A strategy that chooses at random."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()

    def choose(self, records: Sequence[ServiceRecord], key: str | None = None) -> ServiceRecord:
        return self._rng.choice(records)


class RoundRobinBalancer(Balancer):
    """A strategy that chooses the service whose last turn for this key was longest ago.

    So it goes round in any order of the records, also while some come and go. Services that had no
    turn yet come first and in random order, so that not all clients begin with the same one.
    """

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()
        self._lock = threading.Lock()
        self._turn = itertools.count(1)
        self._turns: OrderedDict[tuple[str | None, str, str], float] = OrderedDict()

    def choose(self, records: Sequence[ServiceRecord], key: str | None = None) -> ServiceRecord:
        with self._lock:
            turns, rng = self._turns, self._rng
            chosen = min(
                records,
                key=lambda record: (
                    turns.get((key, record.service, record.address)) or -rng.random()
                ),
            )
            place = (key, chosen.service, chosen.address)
            turns[place] = next(self._turn)
            _bound(turns, place)
        return chosen


class _Load:
    __slots__ = ("in_flight", "latency", "measured")

    def __init__(self) -> None:
        self.in_flight = 0
        self.latency: float | None = None  # s, smoothed; None: never measured
        self.measured = 0.0  # when, s


class LeastLoadedBalancer(Balancer):
    """A strategy that chooses the least (calls in flight + 1) * smoothed latency of two at random.

    Two random ones are nearly as good as all, and keep clients from choosing the same one at the
    same time; of few records the least is taken. A latency that is not measured again fades to
    half of the usual one. So an instance that once was slow is tried again, and a new one is tried
    soon but not flooded. An error counts as a latency of `ERROR_LATENCY`.
    """

    FEW: Final = 5  # records
    FADING: Final = 10.0  # s
    ERROR_LATENCY: Final = 5.0  # s
    WEIGHT: Final = 0.3  # of a new measurement

    def __init__(
        self,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives seconds."""
        self._rng = rng or random.Random()
        self._clock = clock
        self._lock = threading.Lock()
        self._loads: OrderedDict[str, _Load] = OrderedDict()  # by address
        self._usual: float | None = None  # s, smoothed over all addresses

    def choose(self, records: Sequence[ServiceRecord], key: str | None = None) -> ServiceRecord:
        count = len(records)
        # A sample shuffles: of equal records the first wins.
        candidates = self._rng.sample(records, count if count <= self.FEW else 2)
        with self._lock:
            now = self._clock()
            chosen = min(candidates, key=lambda record: self._cost(record.address, now))
            self._loads.setdefault(chosen.address, _Load()).in_flight += 1
            _bound(self._loads, chosen.address)
        return chosen

    def observe(
        self, record: ServiceRecord, latency: float | None, error: BaseException | None
    ) -> None:
        with self._lock:
            load = self._loads.get(record.address)
            if load is None:
                return
            load.in_flight = max(0, load.in_flight - 1)
            if error is not None:
                latency = max(latency or 0.0, self.ERROR_LATENCY)
            elif latency is not None:
                latency = max(latency, 1e-6)  # with 0 any number of calls in flight would cost 0
                self._usual = self._smoothed(self._usual, latency)
            if latency is not None:
                now = self._clock()
                before = None if load.latency is None else self._latency(load, now)
                load.latency, load.measured = self._smoothed(before, latency), now

    def _cost(self, address: str, now: float) -> float:
        load = self._loads.get(address) or _Load()
        return (load.in_flight + 1) * self._latency(load, now)

    def _latency(self, load: _Load, now: float) -> float:
        """Return the expected latency, in seconds."""
        # As long as nothing was measured at all any positive number will do.
        rest = 0.5 * (self._usual or self.ERROR_LATENCY)
        if load.latency is None:
            return rest
        return rest + (load.latency - rest) * math.exp((load.measured - now) / self.FADING)

    def _smoothed(self, before: float | None, latency: float) -> float:
        return latency if before is None else before + self.WEIGHT * (latency - before)


def _bound(memory: OrderedDict[Any, Any], used: Any) -> None:
    """Keep `memory` within its limit, by dropping the least recently used entries."""
    memory.move_to_end(used)
    if len(memory) > MEMORY_LIMIT:
        memory.popitem(last=False)


@hookimpl
def pycom_balancers() -> Mapping[str, Callable[[str], Balancer]]:
    """Contribute the three strategies."""
    return {
        "random": lambda _url: RandomBalancer(),
        "round-robin": lambda _url: RoundRobinBalancer(),
        "least-loaded": lambda _url: LeastLoadedBalancer(),
    }
