"""Services in threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from pycom_core.loops._eventloop import finish, run_forever
from pycom_core.server._service import Provider, ServiceServer
from pycom_core.testing.registry import PATIENCE, Registry

if TYPE_CHECKING:
    from pycom_core.runtime._runtime import Runtime


class ServiceThread:
    """A service with a runtime and an event loop of its own, in a thread of this process."""

    server: ServiceServer  #: of the last start

    def __init__(
        self,
        name: str,
        address: str,
        providers: Sequence[Provider],
        make_runtime: Callable[[], Runtime],
        registry: Registry,
    ) -> None:
        self.name = name
        self.address = address
        self._providers, self._make_runtime, self._registry = providers, make_runtime, registry
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop

    def __repr__(self) -> str:
        return f"<ServiceThread {self.name} at {self.address}>"

    @property
    def alive(self) -> bool:
        """True while it runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Run it, also again after its end, with its name at its address. It is ready on return.

        Raises the errors of its plugins and settings, and `AccessDenied` for a taken name.
        """
        started: Future[ServiceServer] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(self._make_runtime(), started), name=self.name, daemon=True
        )
        self._thread.start()
        try:
            self.server = started.result(PATIENCE)
        except Exception:
            self._thread.join(PATIENCE)
            raise
        self.address = self.server.addresses[0]
        try:
            self._registry.register(self.name, self.address, self.server.interfaces)
        except BaseException:
            self.kill()
            raise

    def _run(self, runtime: Runtime, started: Future[ServiceServer]) -> None:
        self._loop = loop = runtime.ioloop()
        # An object serves again as it is; of a class each start makes a new one.
        providers = [one() if isinstance(one, type) else one for one in self._providers]
        try:
            server = ServiceServer([self.address], providers, runtime)
            server.setup(loop)
            loop.call_soon(started.set_result, server)
            run_forever(loop)
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)
        finally:
            runtime.close()
            # What still runs ends here, and answers nobody.
            loop.set_exception_handler(lambda loop, context: None)
            finish(loop, PATIENCE)

    def stop(self) -> None:
        """End it in order: it unregisters and lets running calls end."""
        if self.alive:
            self._registry.unregister(self)
            seconds = self.server.runtime.settings.drain_timeout / 1000
            drained = self.server.drain(seconds)
            asyncio.run_coroutine_threadsafe(drained, self._loop).result()
            self.kill()

    def kill(self) -> None:
        """End it without a word to anybody. Raises RuntimeError if a method holds its loop."""
        if self._thread is None or not self.alive:
            return
        with contextlib.suppress(RuntimeError):  # it has just ended
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            raise RuntimeError(
                f"A method of {self.name} does not end; only processes can be killed"
            )
