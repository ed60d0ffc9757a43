"""The members of a listener that its connections need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from pycom_core.messages import Attachment, Peer
from pycom_plugins.transport_zmtp.clock import Clock
from pycom_plugins.transport_zmtp.limits import Limits

#: The class of the connections, which is not known here.
_Served = TypeVar("_Served", contravariant=True)


class Owner(Protocol[_Served]):
    """The owner of connections, for which it does what concerns several of them."""

    loop: asyncio.AbstractEventLoop
    limits: Limits
    room: memoryview
    clock: Clock

    def admit(self, peer: Peer) -> None:
        """Raise `AccessDenied` if a peer is not welcome."""

    def arrived(self, served: _Served) -> None:
        """Answer what waits in the inbox of a connection."""

    def wait_for_turn(self, served: _Served) -> None:
        """Answer it when others have had their turn."""

    def reply(self, served: _Served, frames: list[Attachment]) -> None:
        """Let a connection send a reply, together with others that are ready."""

    def wait_for_clients(self, more: int) -> None:
        """Note that so many bytes more wait until a client reads them; less if it is negative."""

    def on_loop(self, do: Callable[..., object], *arguments: object) -> None:
        """Do something with the loop: now, or from another thread soon."""

    def ended(self, served: _Served) -> None:
        """Forget a connection."""
