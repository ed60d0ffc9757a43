"""Calling an interface at an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycom_core.client import _conversations as conversations
from pycom_core.client._binding import Calls
from pycom_core.client._caller import Caller
from pycom_core.client._choice import Use
from pycom_core.client._component import BaseComponent, result_of
from pycom_core.client._drivers import Lender, drive
from pycom_core.client._remote import RemoteClient
from pycom_core.client._sync_caller import SyncCaller
from pycom_core.errors import ConfigurationError
from pycom_core.messages import Attachment, Request, Response
from pycom_core.transport import Channel

if TYPE_CHECKING:
    import zmq


class Client(RemoteClient, BaseComponent):
    """A remote interface: `socket` is an address, or a connected DEALER or REQ socket.

    With an address it may be shared between threads. `address` of one with a socket is the endpoint
    that was connected last, as far as it can be told. Raises ValueError for a malformed address.
    """

    def __init__(
        self,
        socket: str | zmq.Socket[bytes],
        iface: str,
        context: SyncCaller | None = None,
        use: Use | None = None,
    ) -> None:
        caller = context or SyncCaller()
        self._own = None if context else caller
        self._lender: Lender = caller.pool
        if isinstance(socket, str):
            address = socket
        else:
            self._lender = adopted = _Adopted(caller, socket)
            address = adopted.address
        RemoteClient.__init__(self, iface, address, context, caller, use)
        self.iface = iface
        self.socket = socket

    def invoke(
        self,
        method_name: str,
        args: Any = None,
        timeout: float | None = None,
        attachment: Attachment | None = None,
    ) -> Any:
        request = Request(self.name, method_name, args=args, attachment=attachment)
        return result_of(drive(conversations.invoke(self, request, timeout), self._lender))

    def invoke_with_request(self, request: Request, timeout: float | None = None) -> Response:
        return drive(conversations.invoke_with_request(self, request, timeout), self._lender)

    def describe(self) -> Calls:
        """Return the methods of the interface, as its service describes them."""
        return drive(conversations.describe(self), self._lender)

    def close(self, **kwargs: Any) -> None:
        """Release the component. `kwargs` go to the `close` of a socket that was given."""
        RemoteClient.close(self)
        if not isinstance(self.socket, str):
            self.socket.close(**kwargs)
        elif self._own is not None:
            self._own.close()


class _Adopted:
    """Lends the one socket that the user brought."""

    def __init__(self, caller: Caller, socket: zmq.Socket[bytes]) -> None:
        found = caller.runtime.transport.adopt(socket)
        if found is None:
            raise ConfigurationError(f"No transport can use {socket!r}; give an address")
        self._channel = found
        self.address = found.address or "the socket"

    def borrow(self, address: str) -> Channel:
        return self._channel

    def give_back(self, address: str, channel: Channel) -> None:
        pass
