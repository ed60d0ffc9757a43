"""Running a service as a process: from the names of modules to the last reply."""

from __future__ import annotations

import asyncio
import faulthandler
import importlib
import inspect
import os
import secrets
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from pycom_core import constants
from pycom_core._libraries import is_of_library
from pycom_core.client._context import Context
from pycom_core.client._registrar import Registrar
from pycom_core.errors import ConfigurationError, RemoteError
from pycom_core.log import logger
from pycom_core.loops._eventloop import run_forever
from pycom_core.plugins._chains import check_failure
from pycom_core.process import _advertising as advertising
from pycom_core.process import _program as program
from pycom_core.process import _showlog as showlog
from pycom_core.process._frames import place
from pycom_core.process._signals import StopSignals
from pycom_core.records import ServiceRecord
from pycom_core.runtime._runtime import Runtime
from pycom_core.server._interfaces import Interface
from pycom_core.server._service import Provider, ServiceServer
from pycom_core.wire._codec import dict_to_wire

#: Modules that are being imported to be served.
_importing: list[str] = []
#: s after the drain that the last replies and the closing of sockets may take.
_LAST_WORDS = 1.5
#: s that the interpreter may take at least to end after the service.
_EXIT = 3.0
#: s to wait at the end for the line that says why it stops.
_SAYING = 0.5


def load_providers(names: Iterable[str]) -> list[Provider]:
    """Import modules and collect the interfaces in them and in what they import.

    Raises `ConfigurationError` for a module that cannot be imported or provides nothing.
    """
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    found: dict[int, Provider] = {}
    for name in names:
        before = set(sys.modules)
        _importing.append(name)
        try:
            module = importlib.import_module(name)
        except BaseException as error:
            check_failure(error)
            raise ConfigurationError(
                f"Cannot import the module {name!r}: {type(error).__name__}: {error}{place(error)}"
            ) from error
        finally:
            _importing.remove(name)
        modules = [sys.modules[new] for new in sys.modules.keys() - before] + [module]
        providers = {id(provider): provider for provider in providers_in(modules)}
        if not providers:
            raise ConfigurationError(
                f"The module {name!r} provides no interface; decorate a class with @pycom.interface"
            )
        found.update(providers)
    return list(found.values())


def providers_in(modules: Iterable[ModuleType]) -> Iterator[Provider]:
    """Yield the classes in the namespaces of modules that provide an interface, each once."""
    seen: set[int] = set()
    for module in modules:
        if is_of_library(module.__name__):
            continue
        for value in list(vars(module).values()):
            if not inspect.isclass(value) or id(value) in seen:
                continue
            if vars(value).get("__interface__") is not None:
                seen.add(id(value))
                yield value


def make_instances(providers: Iterable[Provider]) -> None:
    """Make the objects of classes. Raises `ConfigurationError`, with the place of the failure."""
    for provider in providers:
        iface = getattr(provider, "__interface__", None)
        if not inspect.isclass(provider) or not isinstance(iface, Interface):
            continue
        try:
            iface.instance  # noqa: B018
        except ConfigurationError:
            raise
        except BaseException as error:
            check_failure(error)
            raise ConfigurationError(
                f"{provider.__module__}.{provider.__qualname__}(), the object that provides "
                f"{iface.name}, cannot be made: {type(error).__name__}: {error}{place(error)}"
            ) from error


def _refuse_bare(server: ServiceServer) -> None:
    # Not earlier: objects and plugins may add methods up to this point.
    for iface in server.interfaces.values():
        # Introspection alone, which every service has, is no reason to run one.
        if iface.methods.keys() <= {constants.GENERIC_METHOD_INTROSPECT}:
            raise ConfigurationError(
                f"{iface!r} has no methods; decorate its functions with @pycom.method"
            )


def _odd_keys(value: Any) -> Iterator[object]:
    """Yield the keys in a JSON value that are no text, which would be others on the wire."""
    if isinstance(value, Mapping):
        yield from (key for key in value if not isinstance(key, str))
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _odd_keys(part)


class ServiceProcess:
    """One service: a server, its registration, and its end within a bounded time."""

    def __init__(
        self,
        runtime: Runtime,
        providers: Sequence[Provider],
        context: Context | None = None,
    ) -> None:
        settings = runtime.settings
        if settings.address is None:
            raise ConfigurationError(
                "A service needs an address to listen on: -a tcp://HOST:PORT on the command line, "
                "PYCOM_ADDRESS, address in the configuration, or pycom.configure(address=…)"
            )
        if settings.advertise is not None:
            advertising.check(settings.advertise)
        runtime.check_choices()
        nameservers = context.nameservers if context is not None else settings.nameserver
        for address in nameservers:
            if address != constants.NS_NAME_LOCAL:
                runtime.connect(address).close()  # refuses what is no address
        self.runtime = runtime
        make_instances(providers)
        self.server = ServiceServer([settings.address], providers, runtime)
        self.name = settings.service or f"/auto/{secrets.token_hex(16)}"
        self.failure: RemoteError | None = None
        self.bound = self.server.addresses[0]
        try:
            told = advertising.advertised_to(nameservers, self.bound, settings.advertise)
            records = {nameserver: self._record(address) for nameserver, address in told.items()}
        except BaseException:
            self.server.close()
            raise
        #: The address by which clients of the first nameserver reach it.
        self.address = records[nameservers[0]].address
        self._told = set(told.values())
        self.server.aliases += [*self._told, *advertising.own_addresses(self.bound)]
        self.registrar = Registrar(context or Context(runtime=runtime), records, self._refused)
        self._stopping = self._drained = False
        self._said = threading.Event()  # clear while a thread is about to say why it stops
        self._said.set()
        self._pid = os.getpid()
        self.loop = runtime.ioloop()

    def _record(self, address: str) -> ServiceRecord:
        record = ServiceRecord(self.name, address, tuple(self.server.interfaces))

        def spoilt() -> str | None:
            try:
                dict_to_wire({"metadata": record.metadata}, False, self.runtime.types.encoder)
            except TypeError as error:
                return f"the record cannot be sent: {error}"
            for key in _odd_keys(record.metadata):
                what = f"metadata has the key {key!r:.100}, and keys of JSON are text"
                return f"the record cannot be sent: {what}"
            return None

        self.runtime.plugins.notify("pycom_record", spoilt, server=self.server, record=record)
        return record

    def run(self) -> int:
        """Answer until `stop`, a signal, or the end of the loop. Returns the exit status.

        Raises the `RemoteError` of a nameserver that refuses the service.
        """
        asyncio.set_event_loop(self.loop)
        signals = None
        if threading.current_thread() is threading.main_thread():
            bound = self.runtime.settings.drain_timeout / 1000 + _LAST_WORDS
            signals = StopSignals(self.loop, self._stop_at, self._leave, bound)
            signals.open(until_exit=program.is_all)
        try:
            _refuse_bare(self.server)
            self.server.setup(self.loop)
            # Only on the running loop, which a nameserver of this process answers on.
            self.loop.call_soon(self.registrar.start)
            showlog.settle()
            logger().info("Service %s listens on %s", self.name, self.bound)
            if self._told != {self.bound}:
                logger().info("Others reach it at %s", ", ".join(sorted(self._told)))
            self._run_loop()
        except KeyboardInterrupt:
            pass
        finally:
            if os.getpid() == self._pid:  # in a fork all of this is the parent's
                try:
                    self._close()
                finally:
                    if signals is not None:
                        # Where the process ends with the service, its end is watched as well.
                        signals.allow(_EXIT) if program.is_all else signals.close()
        if self.failure is not None:
            raise self.failure
        return 0

    def _run_loop(self) -> None:
        try:
            run_forever(self.loop)
        except BaseException as error:
            # From a handler of a signal; no reason to drop the calls that run.
            if os.getpid() == self._pid:
                self.stop()
                logger().info("Service %s stops: %r%s", self.name, error, place(error))
                if not self._drained:
                    run_forever(self.loop)
            raise

    def _close(self) -> None:
        self.registrar.stop()
        self.server.close()
        # The interpreter would wait for workers at its end, where nothing bounds it.
        self.server.join()
        self._said.wait(_SAYING)
        showlog.flush()

    def stop(self) -> None:
        """Unregister, let running calls end within the bound, and leave `run`. From any thread."""
        if not self._stopping:
            self._stopping = True
            self.registrar.stop()
            self.loop.call_soon_threadsafe(lambda: self.loop.create_task(self._drain()))

    def _stop_at(self, signal: str) -> None:
        self._said.clear()
        try:
            self.stop()
            # Not before: a handler of the application's own may be blocked.
            logger().info("Service %s stops: %s", self.name, signal)
        finally:
            self._said.set()

    async def _drain(self) -> None:
        await self.server.drain(self.runtime.settings.drain_timeout / 1000)
        self._drained = True
        self.loop.stop()

    def _refused(self, error: RemoteError) -> None:
        hint = "; its replicas are told " + ", ".join(sorted(self._told)) + ": set `advertise`"
        several = len(self._told) > 1
        logger().error("The nameserver refuses %s: %s%s", self.name, error, hint * several)
        if not self.registrar.registered.is_set():
            self.failure = error
            self.loop.call_soon_threadsafe(self.loop.stop)

    def _leave(self, signal: str | None) -> None:
        """End the process, at a second signal or because its time is over."""
        with open(os.devnull, "w") as nowhere:
            # Nothing else ends it if this, too, is held up: by a handler of a log, for example.
            faulthandler.dump_traceback_later(_LAST_WORDS, exit=True, file=nowhere)
            if signal is not None:
                logger().error("%s again; leaving at once", signal)
            else:
                logger().error("%s did not end in time; leaving without it", self._laggard())
            showlog.flush()
            _end_children()
            os._exit(1)

    def _laggard(self) -> str:
        if self.server.in_flight:
            return "A method"
        threads = [
            f"The thread {thread.name}"
            for thread in threading.enumerate()
            if not thread.daemon and thread is not threading.main_thread()
        ]
        return ", ".join(threads) or "The process"


def _end_children() -> None:
    # As the interpreter would: they wait for work from a parent that is gone.
    processes = sys.modules.get("multiprocessing")
    for child in processes.active_children() if processes is not None else ():
        child.terminate()


def run_modules(runtime: Runtime, modules: Sequence[str], context: Context | None = None) -> int:
    """Run the interfaces of modules as one service. Raises `ConfigurationError`."""
    return ServiceProcess(runtime, load_providers(modules), context).run()


def all_providers() -> list[Provider]:
    """Return the interfaces of all modules that are loaded.

    Raises `ConfigurationError` if one of them is being imported to be served with others.
    """
    if _importing:
        raise ConfigurationError(
            f"{_importing[-1]} is imported to be served, and would serve itself: call pycom.main() "
            'under `if __name__ == "__main__":`'
        )
    return list(providers_in(list(sys.modules.values())))
