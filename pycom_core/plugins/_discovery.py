"""Discovery of installed plugins: entry points, from the current metadata."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import sys

from stevedore import ExtensionManager

from pycom_core.errors import ConfigurationError

GROUP = "pycom.plugins"
#: The options that PyInstaller needs.
COLLECTED = (
    "from PyInstaller, --copy-metadata pycom and --collect-submodules for pycom_core and "
    "pycom_plugins"
)
_OURS = "pycom_plugins."

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
    return list(_installed(tuple((entry, _changed(entry)) for entry in sys.path)))


@functools.lru_cache(maxsize=1)
def _installed(_path: _Path) -> tuple[importlib.metadata.EntryPoint, ...]:
    # A manager of nothing only lists: plugins that are disabled are not even imported.
    return tuple(_Manager.make_test_instance([], namespace=GROUP).list_entry_points())


def check() -> None:
    """Raise `ConfigurationError` in a program that has our code, but not our entry points."""
    if not any(found.value.startswith(_OURS) for found in installed()):
        raise ConfigurationError(
            "No plugin of PyCOM is found, and without them nothing can be served or called: Python "
            "sees no metadata of the distribution pycom. Install it with pip. A program that is "
            f"packed into one file needs them, too: {COLLECTED}; in a zip, the folder "
            "pycom-….dist-info beside the code"
        )


def _changed(folder: str) -> int:
    try:
        return os.stat(folder or os.curdir).st_mtime_ns
    except OSError:
        return 0


def installed_names() -> list[str]:
    """Names of the plugins that are installed, loaded or not."""
    return sorted({entry_point.name for entry_point in installed()})
