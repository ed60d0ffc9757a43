"""A real network: sockets on loopback, services in threads and in processes."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import textwrap
import weakref
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from pycom_core.testing.network import ANY_PORT, Network
from pycom_core.testing.processes import ServiceChild, environment

_open: weakref.WeakSet[RealNetwork] = weakref.WeakSet()


class RealNetwork(Network):
    """A network of 0MQ sockets on loopback, at ports that the system chooses.

    Faults affect messages from this process: its contexts, and its services in threads. If the
    `with` block fails, the logs of the processes are shown on standard error.
    """

    def _prepare(self) -> None:
        self._children: list[ServiceChild] = []
        #: The directory that processes run in, with the modules that were given as text.
        self.directory = Path(
            self._left.enter_context(tempfile.TemporaryDirectory(prefix="pycom-"))
        )
        _open.add(self)

    def _transport(self) -> None:
        return None

    def spawn(
        self,
        *modules: str,
        source: str | None = None,
        name: str | None = None,
        address: str = ANY_PORT,
        environ: Mapping[str, str] | None = None,
        disable: Iterable[str] = (),
        **settings: Any,
    ) -> ServiceChild:
        """Run modules, or the `source` of one, with `python -m pycom` in a process of its own.

        It is registered on return. Modules are found as in this process; the plugins are the
        installed ones. Raises RuntimeError, with the log, if the process ends instead.
        """
        number = next(self._numbers)
        if source is not None:
            module = f"pycom_source_{number}"
            (self.directory / f"{module}.py").write_text(textwrap.dedent(source))
            modules = (*modules, module)
        configuration = self.directory / f"settings_{number}.json"
        configuration.write_bytes(msgspec.json.encode(self._told(disable, settings)))
        child = ServiceChild(
            name or f"/service/{number}",
            address,
            ["-c", str(configuration), "-v", *modules],
            self.directory,
            environment(environ),
            self._registry,
        )
        self._children.append(child)
        return self._started(child)

    async def async_spawn(self, *modules: str, **options: Any) -> ServiceChild:
        """Do the same as `spawn`, while the event loop of the test goes on."""
        return await asyncio.to_thread(self.spawn, *modules, **options)

    @property
    def logs(self) -> list[tuple[str, str]]:
        """The name and state of each process, and its output."""
        return [(f"{child.name}, {child.state}", child.log) for child in self._children]

    def close(self) -> None:
        _open.discard(self)
        super().close()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        titles = [title for title, _ in self.logs]
        self.close()
        if exc_type is not None:
            for title, child in zip(titles, self._children, strict=True):
                print(f"--- {title}\n{child.log}", file=sys.stderr)


def open_logs() -> Iterator[tuple[str, str]]:
    """The logs of all networks that are open."""
    for network in list(_open):
        yield from network.logs
