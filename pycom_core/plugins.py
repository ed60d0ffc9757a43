"""Finding, checking and registering plugins; asking them for what they contribute.

pluggy calls the hooks and stevedore finds the entry points; the rules of failure are this page's:
nothing is skipped in silence, and no name wins over another.
"""

from __future__ import annotations

import difflib
import importlib.metadata
import inspect
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pluggy
from stevedore import ExtensionManager

from pycom_core import hookspecs
from pycom_core.chains import Chains
from pycom_core.errors import ConfigurationError, PluginError
from pycom_core.log import logger

GROUP = "pycom.plugins"

#: Hooks whose implementations pluggy calls, and pycom_invoke: these may be wrappers.
WRAPPABLE = (
    "pycom_invoke",
    "pycom_authorize",
    "pycom_prehook",
    "pycom_posthook",
    "pycom_client_prehook",
    "pycom_client_posthook",
)


class PluginInfo:
    """What is known of one plugin; `state` is "active", "disabled" or "failed"."""

    __slots__ = ("load_time", "name", "reason", "state", "target")

    def __init__(self, name: str, target: str = "") -> None:
        self.name = name
        self.target = target  #: what the entry point names; empty for one registered by hand
        self.state = "active"
        self.reason = ""  #: why it failed
        self.load_time = 0.0  #: s

    def __str__(self) -> str:
        if not self.target:
            return f"plugin {self.name!r} (registered by hand)"
        return f"plugin {self.name!r} of {' and '.join(self.distributions) or 'no distribution'}"

    @property
    def distributions(self) -> list[str]:
        """Name and version of the distributions that bring the entry point; normally one."""
        # Read on demand: it takes longer than loading the plugins.
        return [
            f"{entry_point.dist.name} {entry_point.dist.version}"
            for entry_point in importlib.metadata.entry_points(group=GROUP, name=self.name)
            if entry_point.value == self.target and entry_point.dist is not None
        ]


class Plugins:
    """The plugins of one runtime."""

    def __init__(
        self,
        disable: Iterable[str] = (),
        optional: Iterable[str] = (),
        quiet: bool = False,
    ) -> None:
        self._quiet = quiet
        self._disable, self._optional = frozenset(disable), frozenset(optional)
        self._manager = pluggy.PluginManager("pycom")
        self._manager.add_hookspecs(hookspecs)
        self.hook = self._manager.hook
        self.infos: dict[str, PluginInfo] = {}
        self.chains = Chains()

    def discover(self) -> None:
        """Load the plugins that are installed. Raises `PluginError`."""
        found = _installed()
        for name, count in Counter(entry_point.name for entry_point in found).items():
            if count > 1 and name not in self._disable:
                owners = " and ".join(
                    f"{entry_point.value} ({', '.join(_info(entry_point).distributions)})"
                    for entry_point in found
                    if entry_point.name == name
                )
                raise PluginError(
                    f"Two plugins have the name {name!r}: {owners}. "
                    "Uninstall one, or name it in plugins.disable"
                )
        # pluggy calls the latest registration first; reversed, hooks run in the order of names.
        for entry_point in sorted(found, key=lambda found: found.name, reverse=True):
            self._load(entry_point)
        unknown = (self._disable | self._optional) - self.infos.keys()
        if unknown:
            raise PluginError(
                f"plugins.disable or plugins.optional names {', '.join(sorted(unknown))}, "
                f"but installed are {', '.join(sorted(self.infos)) or 'none'}"
            )
        self.infos = dict(sorted(self.infos.items()))
        self._compile()

    def _load(self, entry_point: importlib.metadata.EntryPoint) -> None:
        info = self.infos[entry_point.name] = _info(entry_point)
        if info.name in self._disable:
            info.state = "disabled"
            return
        started = time.perf_counter()
        try:
            self._register(_load_object(entry_point), info)
        except PluginError as error:
            if info.name not in self._optional:
                raise
            info.state, info.reason = "failed", str(error)
            if not self._quiet:
                logger().warning("Optional plugin left out: %s", error)
        info.load_time = time.perf_counter() - started

    def register(self, plugin: object, name: str | None = None) -> str:
        """Add a plugin by hand; it is called before those that are there. Returns its name.

        Raises `PluginError`.
        """
        name = str(name or getattr(plugin, "__name__", type(plugin).__name__))
        if name in self.infos and self.infos[name].state == "active":
            raise PluginError(f"There is already a {self.infos[name]}; give this one another name")
        info = PluginInfo(name)
        self._register(plugin, info)
        self.infos[name] = info
        self._compile()
        return name

    def unregister(self, name: str) -> None:
        """Take a plugin out. What it contributed to servers that are there already stays."""
        self._manager.unregister(name=name)
        self.infos.pop(name)
        self._compile()

    def _register(self, plugin: object, info: PluginInfo) -> None:
        _check_markers(plugin, info)
        try:
            self._manager.register(plugin, info.name)
        except pluggy.PluginValidationError as error:
            self._manager.unregister(name=info.name)
            raise _fault(info, f"cannot be used: {error}") from error
        except ValueError as error:
            raise _fault(info, f"is registered twice: {error}") from error
        try:
            self._check_hooks(plugin, info)
        except PluginError:
            self._manager.unregister(name=info.name)
            raise

    def _check_hooks(self, plugin: object, info: PluginInfo) -> None:
        for caller in self._manager.get_hookcallers(plugin) or ():
            if not caller.has_spec():
                near = difflib.get_close_matches(caller.name, hook_names(), n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise _fault(info, f"implements an unknown hook {caller.name}{hint}")
            for impl in caller.get_hookimpls():
                if impl.plugin is not plugin:
                    continue
                if caller.name == "pycom_invoke" and not impl.wrapper:
                    raise _fault(
                        info,
                        "implements pycom_invoke as a plain function; the kernel runs the method, "
                        "wrap it: @hookimpl(wrapper=True) and one yield",
                    )
                if (impl.wrapper or impl.hookwrapper) and caller.name not in WRAPPABLE:
                    raise _fault(
                        info, f"wraps {caller.name}; only {', '.join(WRAPPABLE)} can be wrapped"
                    )
                function = impl.function
                is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(
                    function
                )
                if is_async and caller.name != "pycom_authenticate":
                    raise _fault(
                        info,
                        f"implements {caller.name} as async def; "
                        "of the hooks only pycom_authenticate may be",
                    )

    @property
    def active(self) -> frozenset[str]:
        """Names of the plugins in use."""
        return frozenset(name for name, info in self.infos.items() if info.state == "active")

    def hooks_of(self, name: str) -> list[str]:
        """The hooks that a plugin implements."""
        plugin = self._manager.get_plugin(name)
        return sorted(
            caller.name for caller in (plugin and self._manager.get_hookcallers(plugin)) or ()
        )

    def implementations(self, hook: str) -> list[tuple[PluginInfo, Callable[..., Any]]]:
        """Who implements a hook, and how, first called first."""
        return [
            (self._info_of(impl.plugin_name), impl.function)
            for impl in reversed(getattr(self.hook, hook).get_hookimpls())
        ]

    def order(self, hook: str) -> list[str]:
        """Names of the plugins that implement a hook, first called first."""
        return [impl.plugin_name for impl in reversed(getattr(self.hook, hook).get_hookimpls())]

    def contributions(self, hook: str, **arguments: Any) -> dict[Any, Any]:
        """Names and what they stand for, of all plugins. Raises `PluginError` if two give one."""
        found: dict[Any, Any] = {}
        owners: dict[Any, PluginInfo] = {}
        for impl in reversed(getattr(self.hook, hook).get_hookimpls()):
            info = self._info_of(impl.plugin_name)
            try:
                given = impl.function(*(arguments[name] for name in impl.argnames))
            except Exception as error:
                raise _fault(info, f"failed in {hook}: {error!r}") from error
            if given is None:
                continue
            if not isinstance(given, Mapping):
                raise _fault(
                    info,
                    f"returned {type(given).__name__} from {hook}; "
                    "it must return a mapping from names to implementations",
                )
            for name, value in given.items():
                _check_contribution(info, hook, name, value)
                if name in owners:
                    raise PluginError(
                        f"The {info} and the {owners[name]} both contribute {name!r} "
                        f"to {hook}; disable one of them (plugins.disable)"
                    )
                owners[name], found[name] = info, value
        return found

    def contributed_names(self, hook: str) -> dict[str, list[str]]:
        """What each plugin contributes through a hook, as text."""
        found: dict[str, list[str]] = {}
        for impl in reversed(getattr(self.hook, hook).get_hookimpls()):
            try:
                given = impl.function(*(None for _ in impl.argnames)) or {}
            except Exception:  # it wants a real server to look at, which this is not the place for
                given = {}
            found[impl.plugin_name] = [
                name.decode("ascii", "backslashreplace") if isinstance(name, bytes) else str(name)
                for name in given
            ]
        return found

    def notify(self, hook: str, **arguments: Any) -> None:
        """Call a hook of life on every plugin. Raises `PluginError` for the first that fails.

        What a plugin says of its settings is said so already: `ConfigurationError` passes.
        """
        for impl in reversed(getattr(self.hook, hook).get_hookimpls()):
            try:
                impl.function(*(arguments[name] for name in impl.argnames))
            except ConfigurationError:
                raise
            except Exception as error:
                raise _fault(
                    self._info_of(impl.plugin_name), f"failed in {hook}: {error!r}"
                ) from error

    def notify_all(self, hook: str, **arguments: Any) -> None:
        """Call a hook of life on every plugin; log those that fail."""
        for impl in reversed(getattr(self.hook, hook).get_hookimpls()):
            try:
                impl.function(*(arguments[name] for name in impl.argnames))
            except Exception:
                logger().exception("The %s failed in %s", self._info_of(impl.plugin_name), hook)

    def _info_of(self, name: str) -> PluginInfo:
        return self.infos.get(name) or PluginInfo(name)

    def _compile(self) -> None:
        self.chains.compile(self.hook, lambda name: str(self._info_of(name)))


def _installed() -> list[importlib.metadata.EntryPoint]:
    # A manager of nothing only lists: plugins that are disabled are not even imported.
    listing: ExtensionManager[Any] = ExtensionManager.make_test_instance([], namespace=GROUP)
    return listing.list_entry_points()


def installed_names() -> list[str]:
    """Names of the plugins that are installed, loaded or not."""
    return sorted({entry_point.name for entry_point in _installed()})


def cli_plugins(disable: Iterable[str] = ()) -> Plugins:
    """The plugins as the command line sees them, before there is a runtime.

    Those that cannot be loaded have failed, and stop nobody: whatever then needs a runtime says
    what is wrong with them. Raises `PluginError` if two have one name.
    """
    installed = installed_names()
    plugins = Plugins(set(disable).intersection(installed), optional=installed, quiet=True)
    plugins.discover()
    return plugins


def hook_names() -> list[str]:
    """Names of all hooks."""
    return [name for name in vars(hookspecs) if name.startswith("pycom_")]


def _info(entry_point: importlib.metadata.EntryPoint) -> PluginInfo:
    return PluginInfo(entry_point.name, entry_point.value)


def _load_object(entry_point: importlib.metadata.EntryPoint) -> object:
    info = _info(entry_point)
    try:
        found = entry_point.load()
        return found if inspect.ismodule(found) or not callable(found) else found()
    except Exception as error:
        raise _fault(
            info, f"cannot be loaded from {entry_point.value}: {type(error).__name__}: {error}"
        ) from error


def _check_markers(plugin: object, info: PluginInfo) -> None:
    for name in hook_names():
        function = getattr(plugin, name, None)
        if callable(function) and not hasattr(function, "pycom_impl"):
            raise _fault(info, f"defines {name} without the marker @hookimpl")


def _check_contribution(info: PluginInfo, hook: str, name: object, value: object) -> None:
    if hook == "pycom_commands":
        expected: type = bytes
        usable = hasattr(value, "process_request") and not inspect.isclass(value)
        wanted = "an object of a subclass of BaseCommand"
    else:
        expected, usable, wanted = str, callable(value), "a factory(url)"
    if not isinstance(name, expected):
        raise _fault(info, f"contributes {name!r} to {hook}, where names are {expected.__name__}")
    if not usable:
        raise _fault(info, f"contributes {value!r} as {name!r} to {hook}, which must be {wanted}")


def _fault(info: PluginInfo, what: str) -> PluginError:
    """What is wrong with a plugin, and what to do about it."""
    advice = "Mend or uninstall it, or name it in plugins.disable" if info.target else "Mend it"
    return PluginError(f"The {info} {what}{'' if what.endswith('?') else '.'} {advice}")
