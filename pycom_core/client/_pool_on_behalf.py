"""Blocking calls on behalf of a request: they end when it is cancelled."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial

from pycom_core.errors import CallCancelled, CallTimeout, ServiceNotAvailable
from pycom_core.messages import Attachment, Delivery
from pycom_core.transport import Channel
from pycom_core.transport._pool import Pool


class PoolOnBehalf:
    """A pool that lends its channels for calls on behalf of one request."""

    def __init__(
        self, pool: Pool | PoolOnBehalf, delivery: Delivery, running: set[CallOnBehalf]
    ) -> None:
        """`running` are the calls that block now, for this request and for others."""
        self._pool, self._delivery, self._running = pool, delivery, running
        delivery.end_calls = partial(_end_calls, running)

    def borrow(self, address: str) -> CallOnBehalf:
        """A channel to `address` for one call. Raises `CallCancelled`, `ConfigurationError`."""
        if self._delivery.is_cancelled:
            raise _cancelled(sent=False)
        return CallOnBehalf(self._pool.borrow(address), self._delivery, self._running)

    def give_back(self, address: str, channel: Channel) -> None:
        """Keep a channel whose call is over, unless it was aborted as the reply came."""
        assert isinstance(channel, CallOnBehalf)
        if channel.is_aborted:
            channel.close()
        else:
            self._pool.give_back(address, channel.inner)

    def is_alive(self, address: str) -> bool:
        """Tell whether there is an idle channel with a live connection."""
        return self._pool.is_alive(address)

    def close(self) -> None:
        """Close all idle channels."""
        self._pool.close()


class CallOnBehalf(Channel):
    """A channel for one call, which another thread may abort."""

    def __init__(self, inner: Channel, delivery: Delivery, running: set[CallOnBehalf]) -> None:
        self.inner, self.delivery, self._running = inner, delivery, running
        self.is_aborted = self._is_over = False
        self._lock = threading.Lock()

    def exchange(self, payload: Sequence[Attachment], timeout: float) -> list[Attachment]:
        # Adding to a set and taking from it is atomic: all calls of a server share it unlocked.
        self._running.add(self)
        try:
            if self.delivery.is_cancelled:  # perhaps before it could be found
                raise _cancelled(sent=False)
            return self.inner.exchange(payload, timeout)
        except ServiceNotAvailable as error:
            if not self.is_aborted or isinstance(error, CallTimeout):
                raise
            raise _cancelled(error.sent) from error
        finally:
            self._running.discard(self)
            with self._lock:
                self._is_over = True

    def abort(self) -> None:
        with self._lock:
            if not self._is_over:  # else others may use the channel by now
                self.is_aborted = True
                self.inner.abort()

    def is_alive(self) -> bool:
        return self.inner.is_alive()

    def close(self) -> None:
        self.inner.close()


def _end_calls(running: set[CallOnBehalf], delivery: Delivery) -> None:
    for call in [*running]:
        if call.delivery is delivery:
            call.abort()


def _cancelled(sent: bool) -> CallCancelled:
    what = "Given up" if sent else "Not sent"
    return CallCancelled(f"{what}, as the request that it was made for is cancelled", sent=sent)
