"""The facts about one plugin."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import Any

from pycom_core.errors import PluginError

ADVICE = "Fix or uninstall it, or name it in plugins.disable"


class PluginInfo:
    """The facts about one plugin; `state` is "active", "disabled" or "failed"."""

    __slots__ = (
        "contributions",
        "entry_points",
        "load_time",
        "name",
        "reason",
        "requires",
        "state",
    )

    def __init__(
        self, name: str, entry_points: Sequence[importlib.metadata.EntryPoint] = ()
    ) -> None:
        self.name = name
        #: Normally one; two plugins of one name have more, one registered by hand has none.
        self.entry_points = entry_points
        self.state = "active"
        self.reason = ""  #: why it failed
        self.requires: tuple[str, ...] = ()
        self.contributions: dict[str, list[Any]] = {}  #: by hook, what it contributed so far
        self.load_time = 0.0  #: s

    def __str__(self) -> str:
        if not self.entry_points:
            return f"plugin {self.name!r} (registered by hand)"
        return f"plugin {self.name!r} of {' and '.join(self.distributions) or 'no distribution'}"

    @property
    def target(self) -> str:
        """The target of the entry point; empty for a plugin that is registered by hand."""
        return self.entry_points[0].value if self.entry_points else ""

    @property
    def distributions(self) -> list[str]:
        """Name and version of the distributions that bring the plugin; normally one."""
        # Read on demand: it takes longer than loading the plugins.
        dists = (entry_point.dist for entry_point in self.entry_points)
        return [f"{dist.name} {dist.version}" for dist in dists if dist is not None]

    def complaint(self, what: str, advice: str = "") -> str:
        """Say what is wrong with the plugin, and what to do about it."""
        advice = advice or (ADVICE if self.entry_points else "Fix it")
        return f"The {self} {what}{'' if what.endswith('?') else '.'} {advice}"

    def fault(self, what: str) -> PluginError:
        """Return the error that says what is wrong with the plugin."""
        return PluginError(self.complaint(what))
