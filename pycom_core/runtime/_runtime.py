"""A runtime: settings, plugins and transport, and the objects made with them."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pycom_core import _forks as forks
from pycom_core import constants, settings
from pycom_core._copying import refused
from pycom_core.addresses import absolute, parted
from pycom_core.backends import Balancer, NameserverBackend, SessionStore
from pycom_core.errors import ConfigurationError
from pycom_core.keys import Keys
from pycom_core.messages import Peer
from pycom_core.plugins import _discovery as discovery
from pycom_core.plugins._manager import Plugins
from pycom_core.runtime import _choices as choices
from pycom_core.runtime._sessions import Sessions
from pycom_core.settings import Settings
from pycom_core.transport import AsyncChannel, Channel, Handler, Listener, Transport
from pycom_core.transport._local import AsyncLocalChannel, LocalChannel
from pycom_core.transport._preferred import PreferredTransports
from pycom_core.wire._commands import BaseCommand
from pycom_core.wire._type_codecs import TypeCodecs

if TYPE_CHECKING:
    from pycom_core.loops._eventloop import PeriodicTask

_T = TypeVar("_T")


#: ms; a host that does not answer or refuse within it may be far: the call itself will tell.
PROBE = 1000.0


class LocalServer(Handler, Protocol):
    """A server of this process, as its runtime knows it."""

    listeners: list[Listener]
    aliases: list[str]  #: further addresses that reach it, besides those that it listens on

    @property
    def addresses(self) -> list[str]:
        """The addresses that it listens on."""

    def close(self) -> None:
        """End it."""

    def let_go(self) -> None:
        """End it without a word to plugins."""

    def leave_to_parent(self) -> None:
        """In a forked child: release it without any effect on the parent."""


class Runtime:
    """The state that servers and contexts share. A process may have several, which are independent.

    Raises `ConfigurationError`, and `PluginError` for a plugin that cannot be used.
    """

    plugin_class = Plugins
    __reduce__ = refused("make another one of its settings")

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        plugins: Mapping[str, object] | None = None,
        transport: Transport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings or load_settings()
        self.clock = clock  #: seconds, for leases, sessions and answers
        told = self.settings.plugins
        self.plugins = self.plugin_class(told.disable, told.optional, trace=told.trace)
        if not plugins:  # plugins that are given may be ours
            discovery.check()
        self.plugins.discover()
        for name, plugin in (plugins or {}).items():
            self.plugins.register(plugin, name)
        owner = partial(self.plugins.owner, "pycom_types")
        self.types = TypeCodecs(
            partial(self.plugins.contributions, "pycom_types"),
            lambda cls, what: owner(cls).complaint(what),
        )
        self.plugins.watchers.append(self.types.forget)
        self.transport = transport or PreferredTransports(
            self.settings.transport, self._make_transport
        )
        self.servers: list[LocalServer] = []
        self._shared: dict[str, Any] = {}  # what is made once for all threads, by name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = os.getpid()
        self._is_over = False
        forks.watch(self)
        # What is wrong with a contribution stops the start, and not the first use of it.
        for choice in choices.CHOICES.values():
            self.plugins.contributions(choice.hook)
        self.plugins.contributions("pycom_transports")
        if self.settings.development:  # else a type is loaded when it is met
            self.plugins.contributions("pycom_types")
        #: The keys of its connections, which a plugin sets in `pycom_configure`; None: they are in
        #: the clear.
        self.keys: Keys | None = None
        self.plugins.notify("pycom_configure", runtime=self)
        self._check_keys()

    def _check_keys(self) -> None:
        for name in ("network", "key"):
            if getattr(self.settings, name) is not None and self.keys is None:
                raise ConfigurationError(
                    f"{name} is set, but no plugin encrypts connections; is one disabled?"
                )

    # What plugins contribute.

    def check_choices(self) -> None:
        """Raise `ConfigurationError` if the configuration chooses what no plugin contributes.

        Called before a service starts, even if it may never use its choice.
        """
        for key, choice in choices.CHOICES.items():
            if getattr(self.settings, key) != getattr(Settings(), key):
                choices.check(self.settings, key, self.plugins.contributions(choice.hook))
                if key == "balancer":  # it holds nothing that is open
                    self.guarded(key)
        for name in self.settings.transport:
            choices.check_transport(name, self.plugins.contributions("pycom_transports"))

    def nameserver_backend(self) -> NameserverBackend:
        """Make the backend that `nameserver_backend` chooses. Raises `ConfigurationError`."""
        backend: NameserverBackend = self.guarded("nameserver_backend").given
        return backend

    def session_store(self) -> SessionStore:
        """Make the store that `session_store` chooses. Raises `ConfigurationError`."""
        store: SessionStore = self.guarded("session_store").given
        return store

    def balancer(self) -> Balancer:
        """Return the balancer that `balancer` chooses, one for the whole runtime."""
        balancer: Balancer = self.guarded("balancer").given
        return balancer

    def guarded(self, key: str) -> Any:
        """Return the backend, store or balancer that a setting chooses, in a guard.

        Failures of its methods name its plugin. Raises `ConfigurationError`.
        """
        make = partial(self._make, key)
        return self._once(key, make) if key == "balancer" else make()

    def _make(self, key: str) -> Any:
        hook = choices.CHOICES[key].hook
        known = self.plugins.contributions(hook)
        name = choices.check(self.settings, key, known)
        complaint = self.plugins.owner(hook, name).complaint
        return choices.make(self.settings, key, known[name], complaint, self.clock)

    def _once(self, name: str, make: Callable[[], _T]) -> _T:
        """Return what `make` gave to the first caller, the same for all threads."""
        found: _T | None = self._shared.get(name)
        return self._shared.setdefault(name, make()) if found is None else found

    def sessions(self) -> Sessions:
        """Make the sessions of one server, in a store that is opened on first use."""
        open_store = partial(self.guarded, "session_store")
        return Sessions(open_store, self.settings.session_timeout / 1000)

    def _make_transport(self, name: str) -> Transport:
        known = self.plugins.contributions("pycom_transports")
        factory = choices.check_transport(name, known)
        complaint = self.plugins.owner("pycom_transports", name).complaint
        return choices.make_transport(name, factory, complaint, self)

    @functools.cached_property
    def commands(self) -> dict[bytes, BaseCommand]:
        """The commands that clients can send, by their name on the wire."""
        commands: dict[bytes, BaseCommand]
        # Plugins of former times expect a server, and have nothing for clients.
        commands = self.plugins.contributions("pycom_commands", may_fail=True, server=None)
        for command in commands.values():
            command.encoder = self.types.encoder
        return commands

    # What is made with them.

    def connect(self, address: str) -> Channel:
        """Return a channel to an address, within the process if a server of this runtime has it."""
        server = self._server_at(address)
        return self.transport.connect(address) if server is None else LocalChannel(server)

    def connect_async(self, address: str) -> AsyncChannel:
        """Do the same for the running event loop."""
        server = self._server_at(address)
        if server is None:
            return self.transport.connect_async(address)
        return AsyncLocalChannel(server)

    def admit(self, peer: Peer) -> None:
        """Ask the plugins whether a connection is welcome. Raises `AccessDenied`."""
        for hook in self.plugins.chains.admit:
            hook(peer)

    def obstacle(self, address: str, timeout: float = PROBE) -> str | None:
        """Say why no connection to an address is possible now; see `Transport.obstacle`."""
        if address == constants.NS_NAME_LOCAL or self._server_at(address):
            return None
        return self.transport.obstacle(parted(address)[0], timeout)

    def _server_at(self, address: str) -> LocalServer | None:
        if self._pid == os.getpid():  # a forked child has its parent's servers only in memory
            address = absolute(parted(address)[0])
            for server in self.servers:
                if address in server.addresses or address in server.aliases:
                    return server
        return None

    def server_of(self, interface: str) -> LocalServer | None:
        """The server of this runtime that provides an interface."""
        for server in self.servers:
            if interface in getattr(server, "interfaces", ()):
                return server
        return None

    def ioloop(self) -> asyncio.AbstractEventLoop:
        """The event loop that the services of this runtime run on. Raises `ConfigurationError`."""
        if self._loop is None or self._loop.is_closed():
            try:
                self._loop = asyncio.get_running_loop()
            except RuntimeError:
                from pycom_core.loops._eventloop import new_event_loop

                self._loop = new_event_loop(self.settings.event_loop)
        return self._loop

    def create_task(self, callback: Callable[[], object], timeout: float) -> PeriodicTask:
        """A task that repeats every `timeout` ms on the loop of the services, once started."""
        from pycom_core.loops._eventloop import PeriodicTask

        return PeriodicTask(callback, timeout, self.ioloop())

    def leave_to_parent(self) -> None:
        """In a forked child: let go of the servers and of the event loop."""
        for server in self.servers:
            server.leave_to_parent()
        # Kept, as a loop that is collected takes back what its parent listens to.
        self._parents = (self.servers, self._loop)
        self.servers, self._loop, self._pid = [], None, os.getpid()

    def close(self) -> None:
        """Close servers and connections."""
        for server in list(self.servers):
            server.close()
        self.close_plugins()
        self.transport.close()

    def close_plugins(self) -> None:
        """Tell the plugins that the runtime closes; once."""
        if not self._is_over:
            self._is_over = True
            self.plugins.notify_all("pycom_close", runtime=self)

    def __del__(self) -> None:
        # Clients need no close. In a forked child, and at the end of the process, what is left is
        # somebody else's.
        servers = self.__dict__.get("servers")
        if not servers or self._pid != os.getpid() or sys.is_finalizing():
            return
        listeners = [listener for server in servers for listener in server.listeners]
        addresses = [one for some in listeners if some.holds_sockets for one in some.addresses]
        if addresses:
            warnings.warn(
                f"A Runtime was not closed, with servers at {', '.join(addresses)}; call close()",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )
        for server in servers:
            server.let_go()


def load_settings(
    file: str | os.PathLike[str] | None = None,
    defaults: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> Settings:
    """Settings from a file, the environment and `overrides`. Raises `ConfigurationError`."""
    tables = discovery.installed_names()
    try:
        return settings.load(file, overrides=overrides, tables=tables, defaults=defaults)
    except ConfigurationError:
        discovery.check()  # without plugins, their settings are unknown
        raise
