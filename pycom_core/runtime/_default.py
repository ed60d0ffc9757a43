"""The default runtime of a process, for callers that name none, and its settings."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from weakref import ref

from pycom_core import settings
from pycom_core.loops._eventloop import PeriodicTask
from pycom_core.runtime._runtime import Runtime, load_settings
from pycom_core.settings import Settings


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
                # Its owner is the process. Its connections may be in use by threads to the last.
                atexit.register(_at_exit, ref(self._runtime), os.getpid())
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
                # Existing contexts keep the former runtime. The new one gets its loop, which
                # earlier tasks are to run on.
                self._loop = self._runtime._loop
                self._runtime = None

    @staticmethod
    def _load(
        file: str | os.PathLike[str] | None,
        defaults: Mapping[str, Any],
        overrides: Mapping[str, Any],
    ) -> Settings:
        return load_settings(file, defaults, **overrides)


def _at_exit(made: ref[Runtime], pid: int) -> None:
    runtime = made()
    if runtime is not None and pid == os.getpid():  # else it is the parent of this process
        runtime.close_plugins()


_default = _Default()


def default_runtime() -> Runtime:
    """Return the default runtime of this process, for callers that name none."""
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
    """Return a task that calls back each `timeout` ms on `ioloop()`, from `start()` to `stop()`."""
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


#: Read-only view of the settings of the default runtime, which is made on first access.
configuration = Configuration()
