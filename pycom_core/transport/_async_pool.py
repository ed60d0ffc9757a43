"""The channels of an asyncio context: each event loop has its own, for many calls at a time."""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import Callable
from weakref import ref

from pycom_core.transport._base import AsyncChannel
from pycom_core.transport._local import AsyncLocalChannel

Channels = dict[str, AsyncChannel]  # by address


class AsyncPool:
    """Channels by event loop and address. Any number of threads may share one, and forks too.

    The channels of a closed or dropped loop are released. A pool that is dropped with open
    connections warns (`ResourceWarning`) and closes them.
    """

    def __init__(self, connect: Callable[[str], AsyncChannel]) -> None:
        self._connect = connect
        # Not a WeakKeyDictionary, which hides its values from `__del__`.
        self._loops: dict[ref[asyncio.AbstractEventLoop], Channels] = {}
        self._pid = os.getpid()

    def to(self, address: str) -> AsyncChannel:
        """The channel of the running loop to an address. Raises `ConfigurationError`."""
        channels = self._here()
        channel = channels.get(address)
        # A server of this process that is closed stays so; another may have its address now.
        if channel is None or (isinstance(channel, AsyncLocalChannel) and not channel.is_alive()):
            channel = channels[address] = self._connect(address)
        return channel

    def is_alive(self, address: str) -> bool:
        """Tell whether the running loop has a channel to an address with a live connection."""
        channel = self._here().get(address)
        return channel is not None and channel.is_alive()

    def close(self) -> None:
        """Close all channels, those of other loops as soon as these run."""
        for channels in list(self._loops.values()):
            _close(channels)

    def _here(self) -> Channels:
        if self._pid != os.getpid():
            # The sockets belong to the parent's 0MQ context: they are left alone, not closed.
            self._loops, self._pid = {}, os.getpid()
        loop = asyncio.get_running_loop()
        found = self._loops.get(ref(loop))
        return self._begin(loop) if found is None else found

    def _begin(self, loop: asyncio.AbstractEventLoop) -> Channels:
        """Make room for a loop, and release the channels of closed loops."""
        loops = self._loops
        for reference in list(loops):
            closed = reference()
            if closed is not None and closed.is_closed():
                _close(loops.pop(reference, {}))
        return loops.setdefault(ref(loop, lambda gone: loops.pop(gone, None)), {})

    def __del__(self) -> None:
        if self._pid != os.getpid():
            return
        left = {
            address
            for channels in self._loops.values()
            for address, channel in channels.items()
            if channel.is_open()
        }
        if left:
            warnings.warn(
                f"An AsyncContext was not closed, with connections to {', '.join(sorted(left))}; "
                "use `async with`, or call close()",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )
        self.close()


def _close(channels: Channels) -> None:
    # One by one, as the thread of their loop may add to them meanwhile.
    for address in list(channels):
        channel = channels.pop(address, None)
        if channel is not None:
            channel.close()
