"""The common base of remote components, and of the clients below them."""

from __future__ import annotations

from typing import Any

from pycom_core._copying import LOCATE_AGAIN, refused
from pycom_core.client._caller import Caller
from pycom_core.client._choice import Use
from pycom_core.client._component import Component


class RemoteComponent:
    """An interface elsewhere, sync or asyncio. Hooks of clients are given one."""

    # Nothing but these: remote methods of a component may have any other name.
    name: str  #: name of the interface
    address: str
    context: Any  #: that it comes from; None: hooks do not see its calls

    __reduce__ = refused(LOCATE_AGAIN)


class RemoteClient(RemoteComponent, Component):
    """An interface at one address."""

    def __init__(
        self,
        interface: str,
        address: str,
        context: Any,
        caller: Caller,
        use: Use | None = None,
    ) -> None:
        super().__init__(interface)
        self.address = address
        self.context = context
        self._caller = caller
        self._use = use

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.name} at {self.address}>"

    def close(self) -> None:
        """Let go of the component; connections stay with the context."""
        if self._use is not None:
            self._use.release()
