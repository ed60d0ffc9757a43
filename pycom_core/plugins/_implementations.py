"""Checks of the hooks that a plugin implements."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from types import ModuleType

import pluggy

from pycom_core import hookspecs
from pycom_core.plugins import _chains
from pycom_core.plugins._info import PluginInfo

#: Hooks whose implementations must be wrappers, and those that may be.
WRAPPED = tuple(f"pycom_{name}" for name in _chains.WRAPPERS)
WRAPPABLE = tuple(f"pycom_{name}" for name in _chains.WRAPPABLE)


def hook_names() -> list[str]:
    """Names of all hooks."""
    return [name for name in vars(hookspecs) if name.startswith("pycom_")]


def nearest_hook(name: str) -> str:
    """Ask whether the hook with the name most like `name` was meant; empty without one."""
    import difflib  # not before a name is wrong

    near = difflib.get_close_matches(name, hook_names(), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def offer(problem: str) -> str:
    """List the arguments of the hook whose arguments do not match; empty for other problems."""
    found = re.search(r"for hook '(\w+)'.*not be found in the hookspec", problem, re.DOTALL)
    if found is None:
        return ""
    offered = ", ".join(inspect.signature(getattr(hookspecs, found[1])).parameters)
    return f"; it offers {found[1]}({offered})"


def check_markers(plugin: object, info: PluginInfo) -> None:
    """Refuse functions with the name of a hook that are not marked."""
    for name in hook_names():
        function = getattr(plugin, name, None)
        if callable(function) and not hasattr(function, "pycom_impl"):
            raise info.fault(f"defines {name} without the marker @hookimpl")


def check_for_classes(module: ModuleType, info: PluginInfo) -> None:
    """Refuse a module without hooks that has a class with some."""
    for name, value in vars(module).items():
        if inspect.isclass(value) and any(
            hasattr(getattr(value, hook, None), "pycom_impl") for hook in hook_names()
        ):
            raise info.fault(
                f"has no hooks, but its class {name} has; the entry point must name the class: "
                f"{module.__name__}:{name}",
            )


def check_hooks(plugin: object, callers: Iterable[pluggy.HookCaller], info: PluginInfo) -> None:
    """Refuse unknown hooks, and implementations of a kind that a hook cannot have."""
    for caller in callers:
        if not caller.has_spec():
            hint = nearest_hook(caller.name)
            raise info.fault(f"implements an unknown hook {caller.name}{hint}")
        for impl in caller.get_hookimpls():
            if impl.plugin is not plugin:
                continue
            if caller.name in WRAPPED and not impl.wrapper:
                raise info.fault(
                    f"implements {caller.name} as a plain function; the kernel makes the call, "
                    "wrap it: @hookimpl(wrapper=True) and one yield",
                )
            if (impl.wrapper or impl.hookwrapper) and caller.name not in WRAPPABLE:
                raise info.fault(f"wraps {caller.name}; only {', '.join(WRAPPABLE)} can be wrapped")
            function = impl.function
            is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
            if is_async and caller.name != "pycom_authenticate":
                raise info.fault(
                    f"implements {caller.name} as async def; "
                    "of the hooks only pycom_authenticate may be",
                )
