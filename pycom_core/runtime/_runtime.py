"""A runtime: settings, plugins and transport, and all that is made with them."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pycom_core import _forks as forks
from pycom_core import constants, settings
from pycom_core._copying import refused
from pycom_core.addresses import absolute
from pycom_core.backends import Balancer, NameserverBackend, SessionStore
from pycom_core.errors import ConfigurationError
from pycom_core.plugins import _discovery as discovery
from pycom_core.plugins._manager import Plugins
from pycom_core.runtime import _choices as choices
from pycom_core.runtime._sessions import Sessions
from pycom_core.settings import Settings
from pycom_core.transport._aio import AsyncChannel
from pycom_core.transport._aio import LocalChannel as AsyncLocalChannel
from pycom_core.transport._local import LocalChannel
from pycom_core.transport._zmq import Channel, Transport, ZmqTransport
from pycom_core.wire._type_codecs import TypeCodecs

if TYPE_CHECKING:
    from pycom_core.client._aio_context import AsyncContext
    from pycom_core.client._proxy import ProxyContext
    from pycom_core.loops._eventloop import PeriodicTask
    from pycom_core.messages import Request
    from pycom_core.server._server import Server

_T = TypeVar("_T")


class Runtime:
    """What servers and contexts share. A process may have several; they know nothing of another.

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
        self.clock = clock  #: seconds, for what is kept for a while: leases, sessions, answers
        told = self.settings.plugins
        self.plugins = self.plugin_class(told.disable, told.optional, trace=told.trace)
        if not plugins:  # who brings some by hand may bring ours
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
        self.transport = transport or ZmqTransport(
            self.settings.max_message_size, self._notify_socket
        )
        self.servers: list[Server] = []
        #: By name: the contexts that those of single calls come from, and the balancer.
        self._shared: dict[str, Any] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = os.getpid()
        forks.watch(self)
        # What is wrong with a contribution stops the start, and not the first use of it.
        for choice in choices.CHOICES.values():
            self.plugins.contributions(choice.hook)
        self.plugins.notify("pycom_configure", runtime=self)

    def _notify_socket(self, socket: Any, side: str, address: str) -> None:
        self.plugins.notify("pycom_socket", socket=socket, side=side, address=address)

    # What plugins contribute.

    def check_choices(self) -> None:
        """Raise `ConfigurationError` if the configuration chooses what no plugin contributes.

        Before a service starts, whether it will come to use its choice or not.
        """
        for key, choice in choices.CHOICES.items():
            if getattr(self.settings, key) != getattr(Settings(), key):
                choices.check(self.settings, key, self.plugins.contributions(choice.hook))
                if key == "balancer":  # it holds nothing that is open
                    self.guarded(key)

    def nameserver_backend(self) -> NameserverBackend:
        """A backend as `nameserver_backend` says. Raises `ConfigurationError`."""
        backend: NameserverBackend = self.guarded("nameserver_backend").given
        return backend

    def session_store(self) -> SessionStore:
        """A store as `session_store` says. Raises `ConfigurationError`."""
        store: SessionStore = self.guarded("session_store").given
        return store

    def balancer(self) -> Balancer:
        """The balancer as `balancer` says, one for the whole runtime."""
        balancer: Balancer = self.guarded("balancer").given
        return balancer

    def guarded(self, key: str) -> Any:
        """What one of these three gives, in a guard: failures of its methods name its plugin.

        Raises `ConfigurationError`.
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
        """What `make` gave to the first caller, the same for all threads."""
        found: _T | None = self._shared.get(name)
        return self._shared.setdefault(name, make()) if found is None else found

    def sessions(self) -> Sessions:
        """Sessions for one server, in a store that is opened at the first of them."""
        open_store = partial(self.guarded, "session_store")
        return Sessions(open_store, self.settings.session_timeout / 1000)

    # What is made with them.

    def connect(self, address: str) -> Channel:
        """A channel to an address, within the process where a server of this runtime has it."""
        server = self._server_at(address)
        return self.transport.connect(address) if server is None else LocalChannel(server)

    def connect_async(self, address: str) -> AsyncChannel:
        """The same, for the running event loop."""
        server = self._server_at(address)
        if server is None:
            return self.transport.connect_async(address)
        return AsyncLocalChannel(server)

    def obstacle(self, address: str) -> str | None:
        """What keeps one from connecting to an address now; see `Transport.obstacle`."""
        return None if self._server_at(address) else self.transport.obstacle(address)

    def _server_at(self, address: str) -> Server | None:
        if self._pid == os.getpid():  # a forked child has its parent's servers only in memory
            address = absolute(address)
            for server in self.servers:
                if address in server.addresses or address in server.aliases:
                    return server
        return None

    def server_of(self, interface: str) -> Server | None:
        """The server of this runtime that provides an interface."""
        for server in self.servers:
            if interface in getattr(server, "interfaces", ()):
                return server
        return None

    def context_for(self, request: Request) -> ProxyContext:
        """A context on behalf of the caller of a request: its token, its deadline."""
        from pycom_core.client._context import Context
        from pycom_core.client._proxy import ProxyContext

        context = self._once("context", partial(Context, runtime=self))
        token = request.extensions.get(constants.AUTH_EXTENSION)
        return ProxyContext(context.on_behalf_of(token, request.deadline))

    def async_context_for(self, request: Request) -> AsyncContext:
        """The same, for an event loop."""
        from pycom_core.client._aio_context import AsyncContext

        context = self._once("async context", partial(AsyncContext, runtime=self))
        token = request.extensions.get(constants.AUTH_EXTENSION)
        return context.on_behalf_of(token, request.deadline)

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
        for name in ("context", "async context"):
            if name in self._shared:
                self._shared[name].close()
        self.transport.close()

    def __del__(self) -> None:
        # Clients need no close. In a forked child, and at the end of the process, what is left is
        # somebody else's.
        servers = self.__dict__.get("servers")
        if not servers or self._pid != os.getpid() or sys.is_finalizing():
            return
        listeners = [listener for server in servers for listener in server.listeners]
        sockets = [listener for listener in listeners if listener.fileno() is not None]
        if sockets:
            addresses = ", ".join(address for socket in sockets for address in socket.addresses)
            warnings.warn(
                f"A Runtime was not closed, with servers at {addresses}; call close()",
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


class _Default:
    """The runtime of the module-level functions: one for the process, made at first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runtime: Runtime | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._file: str | os.PathLike[str] | None = None
        self._defaults: dict[str, Any] = {}
        self._overrides: dict[str, Any] = {}

    def get(self) -> Runtime:
        with self._lock:
            if self._runtime is None:
                self._runtime = Runtime(self._load(self._file, self._defaults, self._overrides))
                self._runtime._loop = self._loop
            return self._runtime

    def configure(
        self,
        file: str | os.PathLike[str] | None,
        defaults: Mapping[str, Any],
        overrides: Mapping[str, Any],
    ) -> None:
        with self._lock:
            arguments = (
                file or self._file,
                {**self._defaults, **defaults},
                {**self._overrides, **overrides},
            )
            loaded = self._load(*arguments)
            self._file, self._defaults, self._overrides = arguments
            if self._runtime is not None and self._runtime.settings != loaded:
                # Contexts that are there keep theirs; what is made from now on is new, but for
                # the loop: tasks of before are to run on it.
                self._loop = self._runtime._loop
                self._runtime = None

    @staticmethod
    def _load(
        file: str | os.PathLike[str] | None,
        defaults: Mapping[str, Any],
        overrides: Mapping[str, Any],
    ) -> Settings:
        return load_settings(file, defaults, **overrides)


_default = _Default()


def default_runtime() -> Runtime:
    """The runtime of this process, for all that names none."""
    return _default.get()


def configure(file: str | os.PathLike[str] | None = None, **overrides: Any) -> None:
    """Change the settings of the default runtime: from a file, and by name.

    Raises `ConfigurationError`.
    """
    _default.configure(file, {}, overrides)


def configure_program(
    file: str | os.PathLike[str] | None,
    defaults: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> Runtime:
    """Settle the default runtime from a command line, over the program's own defaults."""
    given = {key: value for key, value in overrides.items() if value is not None}
    _default.configure(file, defaults or {}, given)
    return default_runtime()


def ioloop() -> asyncio.AbstractEventLoop:
    """The event loop that the services of the default runtime run on."""
    return default_runtime().ioloop()


def create_task(callback: Callable[[], object], timeout: float) -> PeriodicTask:
    """A task that calls back every `timeout` ms on `ioloop()`, from its `start()` to `stop()`."""
    return default_runtime().create_task(callback, timeout)


class Configuration(Mapping[str, Any]):
    """A read-only view of the settings of the default runtime."""

    def __getitem__(self, key: str) -> Any:
        current = default_runtime().settings
        if key in settings.names():
            return settings.plain(current)[key]
        return current.tables[key]

    def __iter__(self) -> Iterator[str]:
        yield from settings.names()
        yield from default_runtime().settings.tables

    def __len__(self) -> int:
        return sum(1 for _ in self)


#: Read-only view of the settings of the default runtime, made when it is first looked at.
configuration = Configuration()
