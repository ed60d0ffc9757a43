"""The choice among several providers, and the report of each call to the balancer."""

from __future__ import annotations

from collections.abc import Sequence

from pycom_core import addresses
from pycom_core.client._caller import Caller
from pycom_core.errors import ServiceNotAvailable
from pycom_core.records import ServiceRecord


class Use:
    """A chosen record, which reports the outcome of its calls to the balancer and the cache."""

    __slots__ = ("_balancer", "_caller", "_claimed", "address", "record")

    def __init__(self, caller: Caller, record: ServiceRecord) -> None:
        self._caller = caller
        self._balancer = caller.runtime.guarded("balancer")
        self._claimed = True  # choosing a record counts as the first call of it
        self.record = record
        try:
            self.address = address_of(caller, record)
        except BaseException:
            self.release()
            raise

    def begin(self) -> None:
        """Note that a call begins."""
        if self._claimed:
            self._claimed = False
        else:
            self._balancer.choose((self.record,))

    def end(self, latency: float | None, error: BaseException | None) -> None:
        """Note that a call ended after `latency` s; None: there is nothing to learn from it."""
        if isinstance(error, ServiceNotAvailable):
            self._caller.records.drop(self.record.address)
        self._balancer.observe(self.record, latency, error)

    def release(self) -> None:
        """Note that no more calls follow."""
        if self._claimed:
            self._claimed = False
            self._balancer.observe(self.record, None, None)


def choose(caller: Caller, records: Sequence[ServiceRecord], interface: str) -> Use:
    """Return the record that the balancer chooses."""
    return Use(caller, caller.runtime.guarded("balancer").choose(records, interface))


def choose_again(
    caller: Caller,
    before: Sequence[ServiceRecord],
    records: Sequence[ServiceRecord],
    interface: str,
) -> Use:
    """Return the record that was chosen before the nameserver was asked, if it still exists.

    A balancer that is asked twice for one component would skip a service each time.
    """
    return choose(caller, [one for one in before if one in records] or records, interface)


def address_of(caller: Caller, record: ServiceRecord) -> str:
    """Return the address of a service as seen from here: one from a plugin, or its own.

    On a network of keys the service has to prove the key that the nameserver names.
    """
    found: str = record.address
    for hook in caller.chains.address:
        address = hook(record)
        if address is not None:
            found = address
            break
    key = record.metadata.get("key")
    if key is None or caller.runtime.keys is None:
        return found
    return addresses.with_key(found, str(key))
