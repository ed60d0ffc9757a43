"""What there is to say of the plugins of a runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycom_core.plugins import Plugins

if TYPE_CHECKING:
    from pycom_core.runtime import Runtime

CONTRIBUTION_HOOKS = (
    "pycom_commands",
    "pycom_nameserver_backends",
    "pycom_session_stores",
    "pycom_balancers",
)


def examine(runtime: Runtime) -> list[dict[str, Any]]:
    """One dict of JSON values for each plugin: where from, which hooks, what state."""
    plugins = runtime.plugins
    contributions = _contributions(plugins)
    found = []
    for info in plugins.infos.values():
        distribution, _, version = (info.distributions or [" "])[0].rpartition(" ")
        found.append(
            {
                "name": info.name,
                "distribution": distribution,
                "version": version,
                "state": info.state,
                "reason": info.reason,
                "hooks": plugins.hooks_of(info.name),
                "contributions": contributions.get(info.name, {}),
                "load_time_ms": round(info.load_time * 1000, 3),
            }
        )
    return found


def _contributions(plugins: Plugins) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for hook in CONTRIBUTION_HOOKS:
        for plugin, names in plugins.contributed_names(hook).items():
            found.setdefault(plugin, {})[hook] = names
    return found
