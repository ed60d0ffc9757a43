"""Which of several providers a component calls, and how the balancer learns of its calls."""

from __future__ import annotations

from collections.abc import Sequence

from pycom_core.client._caller import Caller
from pycom_core.errors import ServiceNotAvailable
from pycom_core.records import ServiceRecord


class Use:
    """One record that was chosen: tells the balancer and the cache how its calls go."""

    __slots__ = ("_balancer", "_caller", "_claimed", "address", "record")

    def __init__(self, caller: Caller, record: ServiceRecord) -> None:
        self._caller = caller
        self._balancer = caller.runtime.guarded("balancer")
        self._claimed = True  # choosing a record counts as the first call of it
        self.record = record
        self.address = address_of(caller, record)

    def begin(self) -> None:
        """A call begins."""
        if self._claimed:
            self._claimed = False
        else:
            self._balancer.choose((self.record,))

    def end(self, latency: float, error: BaseException | None) -> None:
        """A call ended after `latency` s."""
        if isinstance(error, ServiceNotAvailable):
            self._caller.records.drop(self.record.address)
        self._balancer.observe(self.record, latency, error)

    def release(self) -> None:
        """No more calls follow."""
        if self._claimed:
            self._claimed = False
            self._balancer.observe(self.record, None, None)


def choose(caller: Caller, records: Sequence[ServiceRecord], interface: str) -> Use:
    """One of the records, as the balancer likes."""
    return Use(caller, caller.runtime.guarded("balancer").choose(records, interface))


def choose_again(
    caller: Caller,
    before: Sequence[ServiceRecord],
    records: Sequence[ServiceRecord],
    interface: str,
) -> Use:
    """The record that was chosen before the nameserver was asked, if it is still there.

    A balancer that is asked twice for one component would pass over a service each time.
    """
    return choose(caller, [one for one in before if one in records] or records, interface)


def address_of(caller: Caller, record: ServiceRecord) -> str:
    """The address to reach a service at from here: a plugin's, or its own."""
    for hook in caller.chains.address:
        address = hook(record)
        if address is not None:
            found: str = address
            return found
    return record.address
