"""Contexts, with which a program finds and calls services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycom_core import constants
from pycom_core.client import _conversations as conversations
from pycom_core.client._client import Client
from pycom_core.client._component import BaseComponent
from pycom_core.client._drivers import drive
from pycom_core.client._nameserver import Nameserver
from pycom_core.client._sync_caller import SyncCaller
from pycom_core.messages import Attachment

if TYPE_CHECKING:
    from pycom_core.client._remote import RemoteComponent
    from pycom_core.wire._commands import BaseCommand


class Context(SyncCaller):
    """Finds services and connects to them. Any number of threads may share one, and forks too.

    `nameserver` is an address, a list of replicas, or None for that of the configuration.
    `timeout` is the default for calls without one, in ms; None and infinity are no limit. With
    `views` attachments come back as memoryviews of the receive buffer, without a copy. `prehooks`
    and `posthooks` are lists of `hook(component, data)`; an object that a hook returns replaces
    the data, None leaves it.
    """

    # Who calls.

    def authenticate(
        self, user: Any = None, credentials: Any = None, token: str | None = None
    ) -> None:
        """Make all further calls as `user`, or as the owner of `token`.

        Raises `AccessDenied`, and `ServiceNotFound` without an authenticator.
        """
        drive(conversations.authenticate(self, user, credentials, token), self.pool)

    def user_info(self) -> Any:
        """Ask the authenticator for the caller's `name` and `roles`, at least; None: nobody.

        Raises `AccessDenied` when the token is no longer good.
        """
        return drive(conversations.user_info(self), self.pool)

    # Finding and connecting.

    def nameserver(self) -> BaseComponent:
        """The nameserver. Raises `ServiceNotFound` if it does not answer."""
        found = Nameserver(self)
        found.invoke(constants.NS_METHOD_STAT)
        return found

    def locate(self, iface: str, service_name: str | None = None) -> Client:
        """Return a component for `iface`, of one of its providers, or of the named service.

        The nameserver is not asked again while there is a connection to the chosen service and
        the last answer is younger than a lease. Raises `ServiceNotFound` if there is no provider,
        or if no nameserver answers.
        """
        use = drive(conversations.locate(self, (iface, service_name)), self.pool)
        return Client(use.address, iface, self, use)

    def connect(self, address: str, iface: str) -> Client:
        """A component for `iface` at an address that is known."""
        return Client(address, iface, self)

    def send_command(
        self,
        server: str | RemoteComponent | Any,
        name: bytes,
        command: BaseCommand,
        request: Any = None,
        timeout: float | None = None,
        attachment: Attachment | None = None,
    ) -> Any:
        """Send a command of the protocol that a plugin adds, as `name`.

        `server` is an address, or a component, which stands for the server that it calls. Returns
        the answer as `command` decodes it, or (answer, attachment) if an attachment came back. No
        hook of clients sees it, and the token of the context is not sent.

        Raises the `RemoteError` of the answer, and `ServiceNotAvailable` if none came in time.
        """
        talk = conversations.send_command(self, server, name, command, request, timeout, attachment)
        component = getattr(server, "_wrapped", server)
        # A component over a socket of the user's is reached by that alone.
        return drive(talk, component._lender if isinstance(component, Client) else self.pool)
