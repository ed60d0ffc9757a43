"""Runtimes, servers and distributions within the process of a test."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import helpers
import pytest

from pycom_core import LocalTransport, Runtime, Server, Settings, Transport
from pycom_core.loops._eventloop import run_forever
from pycom_core.messages import Delivery
from pycom_core.plugins import _discovery as discovery
from pycom_core.runtime import _default
from pycom_core.settings import Plugins
from pycom_core.wire import _codec as codec
from pycom_plugins.transport_zmtp.listener import SocketListener

_ServerT = TypeVar("_ServerT", bound=Server)
MakeRuntime = Callable[..., Runtime]


@pytest.fixture
def make_runtime() -> Iterator[MakeRuntime]:
    """Makes runtimes on one network without sockets; they end with the test."""
    network = LocalTransport()
    with contextlib.ExitStack() as stack:

        def make(
            plugins: Mapping[str, object] | None = None,
            transport: Transport | tuple[str, ...] | None = network,
            disable: tuple[str, ...] = (),
            optional: tuple[str, ...] = (),
            **settings: Any,
        ) -> Runtime:
            if isinstance(transport, tuple):  # the setting: names of those that plugins bring
                settings["transport"], transport = transport, None
            told = Settings(plugins=Plugins(disable, optional), **settings)
            runtime = Runtime(told, plugins=plugins, transport=transport)
            stack.callback(runtime.close)
            return runtime

        yield make


@pytest.fixture
def default_runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Runtime]]:
    """The runtime of the process, for this test alone: without PYCOM_ variables, not yet made."""
    for variable in [name for name in os.environ if name.startswith("PYCOM_")]:
        monkeypatch.delenv(variable)
    default = _default._Default()
    made: list[Runtime] = []
    load = default.get

    def get() -> Runtime:
        found = load()
        if found not in made:
            made.append(found)
        return found

    monkeypatch.setattr(default, "get", get)
    monkeypatch.setattr(_default, "_default", default)
    yield get
    for one in made:
        one.close()
        if one._loop is not None:
            one._loop.close()


@contextlib.contextmanager
def running(server: _ServerT) -> Iterator[_ServerT]:
    """The server answers on a loop in a thread of its own; closed at the end."""
    loop = asyncio.new_event_loop()
    server.setup(loop)
    thread = threading.Thread(target=run_forever, args=[loop])
    thread.start()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.close()


def waiting(server: Server) -> list[Delivery]:
    """Return the messages that have arrived and wait to be run, on either transport."""
    [listener] = server.listeners
    found: Any = listener
    if isinstance(listener, SocketListener):
        return [delivery for served in found._connections for delivery in served.inbox]
    return list(found._backlog)


def payload(
    interface: str, method: str, args: Any = None, attachment: bytes | None = None, **others: Any
) -> list[bytes]:
    """The frames of a CALL."""
    body = {"interface": interface, "method": method, "args": args, **others}
    frames = [b"CALL", codec.dict_to_wire(body)]
    return frames if attachment is None else [*frames, attachment]


async def answer(server: Server, *call: Any, **others: Any) -> dict[str, Any]:
    """The response object of a CALL to a server that needs no socket for it."""
    reply = await server.answer([b"client", b"", *payload(*call, **others)])
    assert reply[:2] == [b"client", b""]
    return helpers.answer_in(reply[2:])


def call(server: Server, *call: Any, **others: Any) -> dict[str, Any]:
    """Return the answer to a CALL, as `answer` does, on an event loop of its own."""
    return asyncio.run(answer(server, *call, **others))


class Distributions:
    """A folder on `sys.path` that distributions are installed in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def module(self, name: str, source: str) -> None:
        """Write a module."""
        (self.folder / f"{name}.py").write_text(textwrap.dedent(source))

    def add(self, name: str, **plugins: str) -> None:
        """Install version 1.0 of a distribution that has these plugins, name → entry point."""
        info = self.folder / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{plugin} = {target}" for plugin, target in plugins.items()]
        (info / "entry_points.txt").write_text("\n".join(["[pycom.plugins]", *lines]))
        # The times of files may be too coarse to show this change.
        importlib.invalidate_caches()
        discovery._installed.cache_clear()

    def plugin(self, name: str, source: str, distribution: str | None = None) -> None:
        """Install a plugin that is a module with `hookimpl` at hand, as `module_NAME`."""
        header = "from pycom_core import hookimpl\n"
        self.module(f"module_{name}", header + textwrap.dedent(source))
        self.add(distribution or f"dist-{name}", **{name: f"module_{name}"})


@pytest.fixture
def distributions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Distributions]:
    """Installs distributions for this test; none of the modules stays."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield Distributions(folder)
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(folder)):
            del sys.modules[name]
