"""The bases of a transport: listeners for servers, channels for clients."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

import attrs

from pycom_core.messages import Attachment, Delivery


class Handler(Protocol):
    """The receiver of messages: a server, as its transports see it."""

    loop: asyncio.AbstractEventLoop | None

    @property
    def closed(self) -> bool:
        """True once it has stopped answering."""

    def accept(self, delivery: Delivery) -> None:
        """Answer a message with `delivery.reply`, now or later. On the event loop's thread."""

    def answer(
        self, frames: Sequence[Attachment], nested: bool = False
    ) -> Coroutine[Any, Any, list[Attachment]]:
        """Answer a message of this process; `nested`: its caller keeps a thread waiting."""


@attrs.frozen
class ConnectedPeer:
    """A client that is connected to a server, as it was at a moment."""

    address: str
    key: str | None  #: public key, where the connection is encrypted
    since: float  #: when the connection was made, in s of `time.monotonic()`
    in_flight: int  #: calls of it that run
    received: int  #: bytes that came from it
    sent: int  #: bytes that were sent to it
    unsent: int  #: bytes that wait until it takes them

    @property
    def age(self) -> float:
        """The age of the connection now, in s."""
        return time.monotonic() - self.since


class Listener(ABC):
    """The addresses that a server answers on: one, and perhaps more."""

    addresses: list[str]  #: as bound: with the real port
    holds_sockets = True  #: forgetting to close it causes a warning

    @property
    def address(self) -> str:
        """The address that it was made for."""
        return self.addresses[0]

    @property
    def peers(self) -> list[ConnectedPeer]:
        """The clients that are connected now; none if the transport does not know them.

        From any thread.
        """
        return []

    @abstractmethod
    def also(self, address: str) -> None:
        """Bind one more address. Raises `ConfigurationError`."""

    @abstractmethod
    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand over messages that arrive from now on, on the thread of `loop`."""

    async def flush(self) -> None:  # noqa: B027 - where replies arrive at once nothing is to do
        """Wait until clients have taken in the last replies, for a bounded time."""

    @abstractmethod
    def close(self) -> None:
        """Stop listening; replies that were sent still leave, for a bounded time.

        On the loop's thread, or when the loop has stopped.
        """

    def leave_to_parent(self) -> None:  # noqa: B027
        """In a forked child: release it without any effect on the parent."""


class Channel(ABC):
    """A way to one address, for one call at a time."""

    address: str | None = None  #: where it leads, if it can tell

    @abstractmethod
    def exchange(self, payload: Sequence[Attachment], timeout: float) -> list[Attachment]:
        """Send a request and return its reply, status frame first.

        `timeout` is in ms, and may be infinite. Raises `CallTimeout` and `ServiceNotAvailable`; the
        channel must then be closed.
        """

    def abort(self) -> None:  # noqa: B027 - it is optional
        """Let the exchange in progress, or the next one, fail as if its connection had ended.

        Called from another thread. The thread of the exchange closes the channel. By default this
        does nothing: the exchange goes on to its end.
        """

    @abstractmethod
    def is_alive(self) -> bool:
        """Tell whether the connection is live now, as far as can be told without a call."""

    @abstractmethod
    def close(self) -> None:
        """Release it. Unsent messages are dropped."""


class AsyncChannel(ABC):
    """A way to one address on one event loop, for many calls at a time."""

    @abstractmethod
    async def exchange(self, payload: Sequence[Attachment], timeout: float) -> list[Attachment]:
        """Send a request and return its reply, status frame first.

        `timeout` is in ms, and may be infinite. Raises `CallTimeout` and `ServiceNotAvailable`. The
        channel stays usable, and a late reply is dropped.
        """

    @abstractmethod
    def is_alive(self) -> bool:
        """Tell whether the connection is live now, as far as can be told without a call."""

    def is_open(self) -> bool:
        """Tell whether it holds anything that `close` has to release."""
        return False

    @abstractmethod
    def close(self) -> None:
        """Release it, from any thread. Calls in flight fail with `ServiceNotAvailable`."""


class Transport(ABC):
    """A maker of listeners and channels for the addresses of its schemes."""

    #: The schemes of its addresses, without "://".
    schemes: tuple[str, ...] = ()

    def serving(self, address: str) -> Transport:
        """The transport that serves an address: itself. Raises `ConfigurationError`."""
        return self

    @abstractmethod
    def listen(self, address: str, handler: Handler) -> Listener:
        """Bind `address`. Raises `ConfigurationError`."""

    @abstractmethod
    def connect(self, address: str) -> Channel:
        """Return a channel to `address`, which need not exist yet. Raises `ConfigurationError`."""

    @abstractmethod
    def connect_async(self, address: str) -> AsyncChannel:
        """A channel to `address` on the running event loop. Raises `ConfigurationError`."""

    def obstacle(self, address: str, timeout: float) -> str | None:
        """Say why no connection to `address` is possible now; None if no reason is known.

        It may wait for the system, for a silent host at most `timeout` ms. So it is for programs,
        not for use within a call.
        """
        return None

    def adopt(self, socket: Any) -> Channel | None:
        """Return a channel on a connected socket of the user's, which stays open, or None."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Release everything."""
