"""Faults of a network: requests that are lost, late or doubled, and peers that are cut off."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pycom_core.errors import CallTimeout, PycomError
from pycom_core.transport import AsyncChannel, Channel, Handler, Listener, Transport

if TYPE_CHECKING:
    from pycom_core.messages import Attachment


class HasAddress(Protocol):
    """A service."""

    @property
    def address(self) -> str: ...


#: A service, or its address.
Peer = str | HasAddress


class Fate(NamedTuple):
    """The fate of one request."""

    arrives: bool = True
    answered: bool = True
    copies: int = 0
    delay: float = 0.0  #: ms


class Faults:
    """The faults of a network at the moment; usable from any thread.

    `to` is a service or its address. Without it the nameserver is spared. So only calls are
    counted, not the look-ups of their services.
    """

    def __init__(self) -> None:
        self.spared: set[str] = set()  #: addresses that only faults with `to` are for
        self._lock = threading.Lock()
        self._cut: set[str] = set()
        self._delays: dict[str | None, float] = {}
        self._requests: Counter[str | None] = Counter()
        self._replies: Counter[str | None] = Counter()
        self._doubled: Counter[str | None] = Counter()

    def drop(self, count: int = 1, to: Peer | None = None) -> None:
        """Lose the next `count` requests on their way: they are not run."""
        self._count(self._requests, count, to)

    def drop_replies(self, count: int = 1, to: Peer | None = None) -> None:
        """Lose the replies to the next `count` requests, which are run."""
        self._count(self._replies, count, to)

    def duplicate(self, count: int = 1, to: Peer | None = None) -> None:
        """Let the next `count` requests arrive twice. The caller gets the first reply."""
        self._count(self._doubled, count, to)

    def delay(self, ms: float, to: Peer | None = None) -> None:
        """Let every request take `ms` longer from now on; one whose time is up never arrives."""
        with self._lock:
            self._delays[_address(to)] = ms

    def cut(self, peer: Peer) -> None:
        """Let nothing get to `peer` or away from it, not even replies to calls in progress."""
        with self._lock:
            self._cut.add(peer if isinstance(peer, str) else peer.address)

    def heal(self, peer: Peer | None = None) -> None:
        """End all faults of one peer, or of all of them."""
        with self._lock:
            address = _address(peer)
            for faults in (self._delays, self._requests, self._replies, self._doubled):
                if address is None:
                    faults.clear()
                faults.pop(address, None)
            self._cut -= self._cut if address is None else {address}

    def parts(self, one: Collection[str], other: str) -> bool:
        """Tell whether a peer that listens on `one` is cut off from one that listens on `other`."""
        return not self._cut.isdisjoint((*one, other))

    def fate(self, source: Collection[str], address: str, timeout: float) -> Fate:
        """Decide on the next request from a peer that listens on `source`; it has `timeout` ms."""
        with self._lock:
            targets = (address,) if address in self.spared else (address, None)
            delay = max(self._delays.get(target, 0.0) for target in targets)
            if self.parts(source, address) or delay >= timeout or _take(self._requests, targets):
                return Fate(arrives=False)
            return Fate(
                answered=not _take(self._replies, targets),
                copies=int(_take(self._doubled, targets)),
                delay=delay,
            )

    def _count(self, faults: Counter[str | None], count: int, to: Peer | None) -> None:
        with self._lock:
            faults[_address(to)] += count


def _address(peer: Peer | None) -> str | None:
    return peer if peer is None or isinstance(peer, str) else peer.address


def _take(faults: Counter[str | None], targets: Sequence[str | None]) -> bool:
    for target in targets:
        if faults[target] > 0:
            faults[target] -= 1
            return True
    return False


class FaultyTransport(Transport):
    """A wrapper around a transport, with faults in all that is sent through it."""

    def __init__(self, inner: Transport, faults: Faults, waits: bool) -> None:
        """`waits`: a call that gets no answer takes its whole timeout to fail."""
        self._inner = inner
        self.faults = faults
        self.waits = waits
        self.addresses: list[str] = []  #: addresses that this peer listens on
        self._lock = threading.Lock()
        self._in_use, self._closed = 0, False

    def listen(self, address: str, handler: Handler) -> Listener:
        listener = self._inner.listen(address, handler)
        self.addresses.append(listener.address)
        return listener

    def connect(self, address: str) -> Channel:
        return FaultyChannel(self._inner.connect(address), Line(self, address))

    def connect_async(self, address: str) -> AsyncChannel:
        return AsyncFaultyChannel(self._inner.connect_async(address), Line(self, address))

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Stay open while a thread is in a call, which only that thread can end."""
        with self._lock:
            self._in_use += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_use -= 1
                last = self._closed and not self._in_use
            if last:
                self._inner.close()

    def close(self) -> None:
        with self._lock:
            self._closed, idle = True, not self._in_use
        if idle:
            self._inner.close()


class Line:
    """The way from one peer to an address."""

    def __init__(self, transport: FaultyTransport, address: str) -> None:
        self._transport, self._address = transport, address
        self.used = transport.used

    def is_cut(self) -> bool:
        """Tell whether nothing gets through."""
        return self._transport.faults.parts(self._transport.addresses, self._address)

    def fate(self, timeout: float) -> Fate:
        """Return the fate of the next request."""
        transport = self._transport
        return transport.faults.fate(transport.addresses, self._address, timeout)

    def seconds_until(self, deadline: float) -> float:
        """Return the time to wait for a reply that does not come, in s."""
        if not self._transport.waits:
            return 0.0
        return min(max(0.0, deadline - time.monotonic()), threading.TIMEOUT_MAX)

    def silence(self, timeout: float) -> CallTimeout:
        """Return the error that the caller gets then."""
        return CallTimeout(f"No answer from {self._address} within {timeout:.0f} ms (a fault)")


class FaultyChannel(Channel):
    """A channel of a `FaultyTransport`."""

    def __init__(self, inner: Channel, line: Line) -> None:
        self._inner, self._line = inner, line

    def exchange(self, payload: Sequence[Attachment], timeout: float) -> list[Attachment]:
        line, deadline = self._line, time.monotonic() + timeout / 1000
        fate = line.fate(timeout)
        if fate.arrives:
            time.sleep(fate.delay / 1000)
            with line.used():
                reply = self._inner.exchange(payload, timeout - fate.delay)
                for _ in range(fate.copies):
                    with contextlib.suppress(PycomError):
                        self._inner.exchange(payload, timeout)
            if fate.answered and not line.is_cut():
                return reply
        time.sleep(line.seconds_until(deadline))
        raise line.silence(timeout)

    def abort(self) -> None:
        self._inner.abort()

    def is_alive(self) -> bool:
        return not self._line.is_cut() and self._inner.is_alive()

    def close(self) -> None:
        self._inner.close()


class AsyncFaultyChannel(AsyncChannel):
    """The same, for an event loop."""

    def __init__(self, inner: AsyncChannel, line: Line) -> None:
        self._inner, self._line = inner, line

    async def exchange(self, payload: Sequence[Attachment], timeout: float) -> list[Attachment]:
        line, deadline = self._line, time.monotonic() + timeout / 1000
        fate = line.fate(timeout)
        if fate.arrives:
            await asyncio.sleep(fate.delay / 1000)
            reply = await self._inner.exchange(payload, timeout - fate.delay)
            for _ in range(fate.copies):
                with contextlib.suppress(PycomError):
                    await self._inner.exchange(payload, timeout)
            if fate.answered and not line.is_cut():
                return reply
        await asyncio.sleep(line.seconds_until(deadline))
        raise line.silence(timeout)

    def is_alive(self) -> bool:
        return not self._line.is_cut() and self._inner.is_alive()

    def close(self) -> None:
        self._inner.close()
