"""Discovery of installed plugins and services: entry points, from the current metadata."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import sys
from typing import Any

from stevedore import ExtensionManager

from pycom_core.errors import ConfigurationError

GROUP = "pycom.plugins"
#: Services by their interface, for programs that start them by themselves.
SERVICES = "pycom.services"
DISTRIBUTION = "pycom"
#: The options that PyInstaller needs.
COLLECTED = (
    f"from PyInstaller, --copy-metadata {DISTRIBUTION}, and --collect-submodules for each of its "
    "packages"
)

#: The folders of modules, each with the time of its last change, in ns.
_Path = tuple[tuple[str, int], ...]


class _Manager(ExtensionManager):  # type: ignore[type-arg]
    """stevedore's manager, without its cache file.

    That file may be out of date, and lies where others may write.
    """

    def list_entry_points(self) -> list[importlib.metadata.EntryPoint]:
        """The entry points of the group; those of one name and target count once."""
        return list(dict.fromkeys(importlib.metadata.entry_points(group=self.namespace)))


def installed() -> list[importlib.metadata.EntryPoint]:
    """The entry points of plugins."""
    return list(_installed(_path()))


@functools.lru_cache(maxsize=1)
def _installed(_path: _Path) -> tuple[importlib.metadata.EntryPoint, ...]:
    # A manager of nothing only lists: plugins that are disabled are not even imported.
    return tuple(_Manager.make_test_instance([], namespace=GROUP).list_entry_points())


def check() -> None:
    """Raise `ConfigurationError` in a program that has our code, but not our entry points."""
    if not _is_described(_path()):
        raise ConfigurationError(
            "No plugin of PyCOM is found, and without them nothing can be served or called: Python "
            f"sees no metadata of the distribution {DISTRIBUTION}. Install it with pip. A program "
            f"that is packed into one file needs them, too: {COLLECTED}; in a zip, the folder "
            f"{DISTRIBUTION}-….dist-info beside the code"
        )


@functools.lru_cache(maxsize=1)
def _is_described(_path: _Path) -> bool:
    return any(importlib.metadata.distributions(name=DISTRIBUTION))


def _path() -> _Path:
    return tuple((entry, _changed(entry)) for entry in sys.path)


def _changed(folder: str) -> int:
    try:
        return os.stat(folder or os.curdir).st_mtime_ns
    except OSError:
        return 0


def installed_names() -> list[str]:
    """Names of the plugins that are installed, loaded or not."""
    return sorted({entry_point.name for entry_point in installed()})


def service(interface: str) -> Any:
    """Return the class that an installed distribution offers as the service of an interface.

    Raises `ConfigurationError` if there is none, or more than one.
    """
    found = set(importlib.metadata.entry_points(group=SERVICES, name=interface))
    if len(found) != 1:
        offers = ", ".join(sorted(one.value for one in found)) or "nothing"
        raise ConfigurationError(
            f"One entry point {interface!r} is needed in the group {SERVICES!r}, and there is "
            f"{offers}; install {DISTRIBUTION} again"
        )
    return found.pop().load()
