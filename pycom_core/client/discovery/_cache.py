"""The cache of nameservers' answers in a context."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import attrs

from pycom_core import constants
from pycom_core.records import ServiceRecord

#: s for which an answer is valid: the time that nameservers keep a silent service.
LEASE = constants.NS_SERVICE_TIMEOUT / 1000
#: s after which an answer is refreshed, while calls still use it.
REFRESH = 5.0

Key = tuple[str, str | None]


@attrs.define
class _Answer:
    records: Sequence[ServiceRecord]
    given: float
    asked: float  #: when it was last asked for


class RecordCache:
    """Answers by question: interface, and service or None. For any number of threads.

    An answer alone proves nothing: its user must make sure that there is a connection to the
    record.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answers: dict[Key, _Answer] = {}

    def get(self, key: Key) -> Sequence[ServiceRecord]:
        """Return the records of a valid answer, or none."""
        answer = self._answers.get(key)
        if answer is None or self._clock() - answer.given > LEASE:
            return ()
        return answer.records

    def put(self, key: Key, records: Sequence[ServiceRecord]) -> None:
        """Keep an answer."""
        now = self._clock()
        self._answers[key] = _Answer(records, now, now)

    def wants_refresh(self, key: Key) -> bool:
        """Tell whether an answer is due for a refresh. True for one caller only, who then asks."""
        answer, now = self._answers.get(key), self._clock()
        if answer is None or now - answer.asked < REFRESH:
            return False
        answer.asked = now
        return True

    def forget(self, key: Key) -> None:
        """Drop an answer whose service is gone."""
        self._answers.pop(key, None)

    def drop(self, address: str) -> None:
        """Drop an address from all answers: it failed, or has moved."""
        for key, answer in list(self._answers.items()):
            left = [record for record in answer.records if record.address != address]
            if not left:
                self.forget(key)
            elif len(left) < len(answer.records):
                self._answers[key] = attrs.evolve(answer, records=left)
