"""Contexts: where a program finds and calls services from."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from pycom_core import constants
from pycom_core.client._binding import Calls
from pycom_core.client._caller import Caller
from pycom_core.client._client import Client, command_to_frames, exchange, frames_to_answer
from pycom_core.client._component import BaseComponent
from pycom_core.client.discovery._cache import Key
from pycom_core.client.discovery._nameservers import Nameserver, NoNameserver
from pycom_core.errors import PycomError, ServiceNotFound
from pycom_core.log import logger
from pycom_core.messages import Attachment
from pycom_core.transport._pool import Pool

if TYPE_CHECKING:
    from pycom_core.client._proxy import ProxyComponent
    from pycom_core.wire._commands import BaseCommand


class Context(Caller):
    """Finds services and connects to them. Any number of threads may share one, and forks too.

    `nameserver` is an address, a list of replicas, or None for what the configuration says;
    `timeout` is what calls get that name none, in ms; None and infinity are no limit. With `views`
    attachments come back as memoryviews of where they were received, without a copy. `prehooks` and
    `posthooks` are lists of `hook(component, data)`; an object that a hook returns replaces the
    data, None leaves it.
    """

    def _prepare(self) -> None:
        self.pool = Pool(self.runtime.connect)

    # Who calls.

    def authenticate(
        self, user: Any = None, credentials: Any = None, token: str | None = None
    ) -> None:
        """Make all further calls as `user`, or as whom `token` belongs to.

        Raises `AccessDenied`, and `ServiceNotFound` without an authenticator.
        """
        if token is None:
            with self.locate(constants.AUTH_INTERFACE) as authenticator:
                token = authenticator.invoke(
                    constants.AUTH_METHOD_AUTHENTICATE,
                    {"user": user, "credentials": credentials},
                )["token"]
        else:
            self._validate(token)
        self.token = token

    def user_info(self) -> Any:
        """What the authenticator says of the caller, `name` and `roles` at least; None: nobody.

        Raises `AccessDenied` when the token is no longer good.
        """
        return None if self.token is None else self._validate(self.token)

    def _validate(self, token: str) -> Any:
        with self.locate(constants.AUTH_INTERFACE) as authenticator:
            return authenticator.invoke(constants.AUTH_METHOD_VALIDATE, {"token": token})

    # Finding and connecting.

    def nameserver(self) -> BaseComponent:
        """The nameserver. Raises `ServiceNotFound` if it does not answer."""
        nameserver = Nameserver(self)
        nameserver.invoke(constants.NS_METHOD_STAT)
        return nameserver

    def locate(self, iface: str, service_name: str | None = None) -> Client:
        """A component for `iface`, of one of its providers, or of the service that is named.

        The nameserver is not asked again while a connection to the chosen service stands and
        the last answer is younger than a lease. Raises `ServiceNotFound` when there is no
        provider, or when no nameserver answers.
        """
        key = (iface, service_name)
        records = self.records.get(key)
        if records:
            use = self.choose(records, iface)
            if self.pool.is_alive(use.address):
                if self.records.wants_refresh(key):
                    threading.Thread(target=self._refresh, args=(key,), daemon=True).start()
                return Client(use.address, iface, self, use)
            use.release()
            records = (use.record,)
        use = self.choose_again(records, self._ask(key), iface)
        return Client(use.address, iface, self, use)

    def _ask(self, key: Key) -> Any:
        try:
            records = Nameserver(self).find(*key)
        except NoNameserver:
            raise
        except ServiceNotFound:
            self.records.forget(key)
            raise
        self.records.put(key, records)
        return records

    def _refresh(self, key: Key) -> None:
        try:
            self._ask(key)
        except PycomError as error:
            logger().debug("Could not refresh what is known of %s: %s", key[0], error)

    def connect(self, address: str, iface: str) -> Client:
        """A component for `iface` at an address that is known."""
        return Client(address, iface, self)

    def send_command(
        self,
        server: str | Client | ProxyComponent,
        name: bytes,
        command: BaseCommand,
        request: Any = None,
        timeout: float | None = None,
        attachment: Attachment | None = None,
    ) -> Any:
        """Send a command of the protocol that a plugin adds, as `name`; the hooks see calls only.

        `server` is an address, or a component: then it is the server that the component calls.
        Returns what `command` makes of the answer, or (answer, attachment) if one came back.

        Raises the `RemoteError` of the answer, and `ServiceNotAvailable` if none came in time.
        """
        address = server if isinstance(server, str) else getattr(server, "_wrapped", server).address
        timeout = self.time_left(timeout)
        payload = command_to_frames(name, command, request, attachment)
        reply = exchange(self.pool, address, payload, timeout)
        return frames_to_answer(command, reply, address, self.views)

    def description(self, component: Client) -> Calls:
        """The methods of an interface: asked for once, as long as a connection stands."""
        key = (component.address, component.name)
        known = self.descriptions.get(key)
        if known is None or not self.pool.is_alive(component.address):
            known = self.descriptions[key] = Calls(component.name, component.introspect())
        return known

    def close(self) -> None:
        """Close the connections that are kept for further calls."""
        self.pool.close()
