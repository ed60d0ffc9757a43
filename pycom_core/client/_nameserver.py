"""The nameserver as a component."""

from __future__ import annotations

from pycom_core import constants
from pycom_core.client import _conversations as conversations
from pycom_core.client._caller import Caller
from pycom_core.client._component import BaseComponent, Component
from pycom_core.client._conversations import Conversation
from pycom_core.client._drivers import drive
from pycom_core.client._remote import RemoteComponent
from pycom_core.client._sync_caller import SyncCaller
from pycom_core.messages import Request, Response


class Replicas(RemoteComponent, Component):
    """The nameserver of a context: any of several replicas that answers."""

    context = None  # credentials and hooks are not for nameservers

    def __init__(self, owner: Caller) -> None:
        super().__init__(constants.NS_INTERFACE)
        self._owner = owner

    @property
    def address(self) -> str:  # type: ignore[override]
        """Address of the replica that is asked first. Raises `ServiceNotAvailable`."""
        return conversations.nameserver_address(self._owner, self._owner.nameservers[0])

    def _ask(self, request: Request, timeout: float | None) -> Conversation[Response]:
        timeout = self._timeout if timeout is None else timeout
        return conversations.ask_nameserver_with_request(self._owner, request, timeout)


class Nameserver(Replicas, BaseComponent):
    """The nameserver of a context that blocks."""

    _owner: SyncCaller

    def invoke_with_request(self, request: Request, timeout: float | None = None) -> Response:
        """Call the replica that answered last, and the others if it does not answer now.

        The timeout (ms) holds for all of them together. Raises `ServiceNotFound` if none answers.
        """
        return drive(self._ask(request, timeout), self._owner.pool)
