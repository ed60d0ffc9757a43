"""Contexts: where a program finds and calls services from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pycom_core import constants
from pycom_core.client import Client
from pycom_core.components import BaseComponent
from pycom_core.messages import Request, Response
from pycom_core.nsclient import Nameserver
from pycom_core.pool import Pool
from pycom_core.records import ServiceRecord

if TYPE_CHECKING:
    from pycom_core.runtime import Runtime

ClientHook = Callable[[BaseComponent, Any], Any]


class Context:
    """Finds services and connects to them. Any number of threads may share one, and forks too.

    `nameserver` is an address, a list of replicas, or None for what the configuration says;
    `timeout` is what calls get that name none, in ms. `prehooks` and `posthooks` are lists of
    `hook(component, data)`; an object that a hook returns replaces the data, None leaves it.
    """

    def __init__(
        self,
        nameserver: str | Sequence[str] | None = None,
        *,
        timeout: float = constants.PROTO_DEFAULT_TIMEOUT,
        runtime: Runtime | None = None,
    ) -> None:
        if runtime is None:
            from pycom_core.runtime import default_runtime

            runtime = default_runtime()
        self.runtime = runtime
        self.timeout = timeout
        self.deadline: float | None = None  #: s, monotonic; no call goes on after it
        self.prehooks: list[ClientHook] = []
        self.posthooks: list[ClientHook] = []
        self.pool = Pool(runtime.connect)
        self.token: Any = None  #: sent with every call, as what the caller is known by
        self._plain: Context | None = None
        addresses = runtime.settings.nameserver if nameserver is None else nameserver
        self._nameserver = Nameserver(
            self, [addresses] if isinstance(addresses, str) else addresses
        )

    @property
    def nameservers(self) -> list[str]:
        """Addresses of the nameserver's replicas, the one that is asked first at the head."""
        return list(self._nameserver.addresses)

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
        self._nameserver.invoke(constants.NS_METHOD_STAT)
        return self._nameserver

    def locate(self, iface: str, service_name: str | None = None) -> Client:
        """A component for `iface`, of one of its providers, or of the service that is named.

        Raises `ServiceNotFound` when there is none, or when no nameserver answers.
        """
        records = self._nameserver.find(iface, service_name)
        record = self.runtime.balancer().choose(records, iface)
        return Client(record.address, iface, self, observer=_Use(self.runtime, record))

    def connect(self, address: str, iface: str) -> Client:
        """A component for `iface` at an address that is known."""
        return Client(address, iface, self)

    def close(self) -> None:
        """Close the connections that are kept for further calls."""
        self.pool.close()
        if self._plain is not None:
            self._plain.close()

    # Hooks.

    @property
    def plain(self) -> Context:
        """A context of the same runtime without credentials and hooks."""
        if self._plain is None:
            self._plain = Context(self._nameserver.addresses, runtime=self.runtime)
            self._plain.pool = self.pool
        return self._plain

    def before_call(self, component: BaseComponent, request: Request) -> Request:
        """Pass a request through the hooks, with the token of the caller."""
        if self.token is not None:
            request.extensions[constants.AUTH_EXTENSION] = self.token
        for hook in self.prehooks:
            replacement = hook(component, request)
            request = request if replacement is None else replacement
        for hook in self.runtime.plugins.chains.client_prehook:
            hook(component, request)
        return request

    def after_call(self, component: BaseComponent, response: Response) -> Response:
        """Pass a response through the hooks."""
        for hook in self.runtime.plugins.chains.client_posthook:
            hook(component, response)
        for hook in self.posthooks:
            replacement = hook(component, response)
            response = response if replacement is None else replacement
        return response


class _Use:
    """Tells the balancer how the calls of one located component went."""

    __slots__ = ("_balancer", "_record")

    def __init__(self, runtime: Runtime, record: ServiceRecord) -> None:
        self._balancer, self._record = runtime.balancer(), record

    def __call__(self, latency: float | None, error: BaseException | None) -> None:
        self._balancer.observe(self._record, latency, error)
