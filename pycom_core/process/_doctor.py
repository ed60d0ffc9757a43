"""Reports on the plugins of a configuration, including those that cannot be used."""

from __future__ import annotations

import importlib.metadata
import inspect
from typing import Any

import pluggy

from pycom_core import hookspecs
from pycom_core.errors import ConfigurationError
from pycom_core.plugins._implementations import hook_names
from pycom_core.plugins._info import PluginInfo
from pycom_core.plugins._manager import Plugins
from pycom_core.runtime._runtime import Runtime
from pycom_core.server._service import ServiceServer
from pycom_core.settings import Settings
from pycom_core.wire._jsonable import type_name

_MARKS = ("wrapper", "hookwrapper", "tryfirst", "trylast")


class _Patients(Plugins):
    """Plugins that note unusable ones among them, instead of raising an error."""

    def _failed(self, info: PluginInfo, error: ConfigurationError, loading: bool = False) -> None:
        info.state, info.reason = "failed", info.reason or str(error)


class _Ward(Runtime):
    plugin_class = _Patients


def diagnosed(settings: Settings) -> Plugins:
    """Return the plugins, prepared as far as by a service before it listens.

    Raises `ConfigurationError` for settings that are wrong themselves.
    """
    runtime = _Ward(settings)
    # Commands are contributed to a server only. This one listens nowhere, and ends unannounced.
    ServiceServer([], runtime=runtime)
    runtime.plugins.contributions("pycom_types")
    runtime.servers.clear()
    return runtime.plugins


def examine(plugins: Plugins) -> list[dict[str, Any]]:
    """Return a dict of JSON values for each plugin: its origin, its functions, its state."""
    orders = {hook: plugins.order(hook) for hook in hook_names()}
    found = []
    for info in plugins.infos.values():
        distributions = [text.rpartition(" ") for text in info.distributions]
        hooks = plugins.hooks_of(info.name)
        found.append(
            {
                "name": info.name,
                "distribution": " and ".join(name for name, _, _ in distributions),
                "version": " and ".join(version for _, _, version in distributions),
                "state": info.state,
                "reason": info.reason or _installed_twice([name for name, _, _ in distributions]),
                "requires": list(info.requires),
                "hooks": hooks,
                "order": {hook: orders[hook].index(info.name) + 1 for hook in hooks},
                "contributions": {
                    hook: [_text(name) for name in names]
                    for hook, names in info.contributions.items()
                    if names
                },
                "load_time_ms": round(info.load_time * 1000, 3),
            }
        )
    return found


def explain(plugins: Plugins, hook: str) -> dict[str, Any]:
    """List the implementations of a hook in call order, as JSON values."""
    spec = getattr(hookspecs, hook)
    return {
        "hook": hook,
        "signature": f"{hook}({', '.join(inspect.signature(spec).parameters)})",
        "about": (inspect.getdoc(spec) or "").partition("\n\n")[0].replace("\n", " "),
        "calls": [_call(plugins.infos[impl.plugin_name], impl) for impl in plugins.calls(hook)],
    }


def _call(info: PluginInfo, impl: pluggy.HookImpl) -> dict[str, Any]:
    function = impl.function
    return {
        "plugin": info.name,
        "distribution": " and ".join(info.distributions),
        "state": info.state,
        "function": f"{function.__module__}:{function.__qualname__}",
        "arguments": list(impl.argnames),
        "marks": [mark for mark in _MARKS if getattr(impl, mark)],
    }


def _installed_twice(distributions: list[str]) -> str:
    for name in distributions:
        versions = {found.version for found in importlib.metadata.distributions(name=name)}
        if len(versions) > 1:
            return (
                f"{name} is installed in the versions {' and '.join(sorted(versions))}, and it is "
                "chance which of them runs. Uninstall it until none is left, then install one"
            )
    return ""


def _text(name: object) -> str:
    if isinstance(name, type):
        return type_name(name)
    return name.decode("ascii", "backslashreplace") if isinstance(name, bytes) else str(name)
