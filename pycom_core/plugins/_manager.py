"""Loading and registering plugins, collecting their contributions, and telling them of events.

pluggy calls the hooks; the rules for failures are in this module:
nothing is skipped in silence, and no name wins over another.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import itertools
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pluggy

from pycom_core import hookspecs
from pycom_core.errors import ConfigurationError, PluginError, PluginFailed
from pycom_core.log import logger
from pycom_core.plugins import _discovery as discovery
from pycom_core.plugins import _implementations as check
from pycom_core.plugins import _requirements as requirements
from pycom_core.plugins._chains import Chains, check_failure
from pycom_core.plugins._contributions import check_contribution
from pycom_core.plugins._discovery import installed, installed_names
from pycom_core.plugins._info import ADVICE, PluginInfo


class Plugins:
    """The plugins of one runtime."""

    def __init__(
        self,
        disable: Iterable[str] = (),
        optional: Iterable[str] = (),
        quiet: bool = False,
        trace: bool = False,
    ) -> None:
        self._quiet, self._trace = quiet, trace
        self._disable, self._optional = frozenset(disable), frozenset(optional)
        self._manager = pluggy.PluginManager("pycom")
        self._manager.add_hookspecs(hookspecs)
        self.hook = self._manager.hook
        self.infos: dict[str, PluginInfo] = {}
        self.chains = Chains()
        #: Called when plugins have come or gone.
        self.watchers: list[Callable[[], object]] = []

    def discover(self) -> None:
        """Load the plugins that are installed. Raises `PluginError`."""
        # pluggy calls the latest registration first; reversed, hooks run in the order of names.
        found = sorted(installed(), key=_name_of, reverse=True)
        for name, entry_points in itertools.groupby(found, _name_of):
            self._load(name, list(entry_points))
        unknown = (self._disable | self._optional) - self.infos.keys()
        if unknown:
            raise PluginError(
                f"plugins.disable or plugins.optional names {', '.join(sorted(unknown))}, "
                f"but installed are {', '.join(sorted(self.infos)) or 'none'}"
            )
        self.infos = dict(sorted(self.infos.items()))
        self._leave_out_the_needy()
        self._compile()

    def _load(self, name: str, entry_points: list[importlib.metadata.EntryPoint]) -> None:
        info = self.infos[name] = PluginInfo(name, entry_points)
        if name in self._disable:
            info.state = "disabled"
            return
        started = time.perf_counter()
        try:
            if len(entry_points) > 1:
                targets = (entry_point.value for entry_point in entry_points)
                owners = " and ".join(map("{} ({})".format, targets, info.distributions))
                raise PluginError(
                    f"Two plugins have the name {name!r}: {owners}. "
                    "Uninstall one, or name it in plugins.disable"
                )
            self._register(_load_object(entry_points[0], info), info)
        except PluginError as error:
            self._failed(info, error, loading=True)
        info.load_time = time.perf_counter() - started

    def _failed(self, info: PluginInfo, error: ConfigurationError, loading: bool = False) -> None:
        """Note the error of a plugin that may fail to load; raise that of any other."""
        if not loading or info.name not in self._optional:
            raise error
        info.state, info.reason = "failed", str(error)
        if not self._quiet:
            logger().warning("Optional plugin left out: %s", error)

    def _leave_out_the_needy(self) -> None:
        needy = [info for info in self.infos.values() if self._lacks(info)]
        for info in needy:
            self._manager.unregister(name=info.name)
            self._failed(info, info.fault(self._lacks(info) or ""), loading=True)
        if needy:
            self._leave_out_the_needy()  # others may have needed these

    def _lacks(self, info: PluginInfo) -> str | None:
        """Name the first unmet requirement of a plugin; None if there is none."""
        if info.state != "active":
            return None
        lacks = (requirements.unmet(needed, self._state_of) for needed in info.requires)
        return next(filter(None, lacks), None)

    def _state_of(self, name: str) -> str:
        return self.infos[name].state if name in self.infos else "not installed"

    def register(self, plugin: object, name: str | None = None) -> str:
        """Add a plugin by hand; it is called before the earlier ones. Returns its name.

        Raises `PluginError`.
        """
        name = str(name or getattr(plugin, "__name__", type(plugin).__name__))
        if name in self.infos and self.infos[name].state == "active":
            raise PluginError(f"There is already a {self.infos[name]}; give this one another name")
        info = PluginInfo(name)
        self._register(plugin, info)
        lacks = self._lacks(info)
        if lacks:
            self._manager.unregister(name=name)
            raise info.fault(lacks)
        self.infos[name] = info
        self._compile()
        return name

    def unregister(self, name: str) -> None:
        """Remove a plugin. Its contributions to existing servers stay."""
        self._manager.unregister(name=name)
        self.infos.pop(name)
        self._compile()

    def _register(self, plugin: object, info: PluginInfo) -> None:
        check.check_markers(plugin, info)
        try:
            info.requires = requirements.stated(plugin)
        except ValueError as error:
            raise info.fault(str(error)) from error
        try:
            self._manager.register(plugin, info.name)
        except pluggy.PluginValidationError as error:
            self._manager.unregister(name=info.name)
            raise info.fault(f"cannot be used: {error}{check.offer(str(error))}") from error
        except ValueError as error:
            raise info.fault(f"is registered twice: {error}") from error
        try:
            check.check_hooks(plugin, self._manager.get_hookcallers(plugin) or (), info)
            if inspect.ismodule(plugin) and not self.hooks_of(info.name):
                check.check_for_classes(plugin, info)
        except PluginError:
            self._manager.unregister(name=info.name)
            raise

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
        """List who implements a hook, in call order: plugin, and function of its arguments."""

        def by_name(impl: pluggy.HookImpl) -> Callable[..., Any]:
            return lambda **arguments: self._call(impl, hook, arguments)

        return [(self._info_of(impl.plugin_name), by_name(impl)) for impl in self.calls(hook)]

    def calls(self, hook: str) -> list[pluggy.HookImpl]:
        """The implementations of a hook as pluggy knows them, first called first."""
        return list(reversed(getattr(self.hook, hook).get_hookimpls()))

    def order(self, hook: str) -> list[str]:
        """Names of the plugins that implement a hook, first called first."""
        return [impl.plugin_name for impl in self.calls(hook)]

    def contributions(
        self, hook: str, *, may_fail: bool = False, **arguments: Any
    ) -> dict[Any, Any]:
        """Return what all plugins contribute, by name. Raises `PluginError` if two give one.

        Raises it for a plugin that fails, too, unless each `may_fail`: then it gives nothing.
        """
        found: dict[Any, Any] = {}
        owners: dict[Any, PluginInfo] = {}
        for impl in self.calls(hook):
            info = self._info_of(impl.plugin_name)
            try:
                given = self._contribution(impl, info, hook, arguments)
                for name in given:
                    if name in owners:
                        raise PluginError(
                            f"The {info} and the {owners[name]} both contribute {name!r} "
                            f"to {hook}; disable one of them (plugins.disable)"
                        )
            except PluginError as error:
                if may_fail:
                    logger().info("Left out: %s", error)
                else:
                    self._failed(info, error)
                continue
            info.contributions[hook] = list(given)
            found.update(given)
            owners.update(dict.fromkeys(given, info))
        return found

    def owner(self, hook: str, name: object) -> PluginInfo:
        """The plugin that has contributed a name."""
        given = (info for info in self.infos.values() if name in info.contributions.get(hook, ()))
        return next(given)

    def _contribution(
        self, impl: pluggy.HookImpl, info: PluginInfo, hook: str, arguments: Mapping[str, Any]
    ) -> Mapping[Any, Any]:
        try:
            given = self._call(impl, hook, arguments)
        except BaseException as error:
            check_failure(error)
            raise info.fault(f"failed in {hook}: {error!r}") from error
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            raise info.fault(
                f"returned {type(given).__name__} from {hook}; "
                "it must return a mapping from names to implementations",
            )
        for name, value in given.items():
            check_contribution(info, hook, name, value)
        return given

    def notify(
        self, hook: str, spoilt: Callable[[], str | None] = lambda: None, **arguments: Any
    ) -> None:
        """Call a hook of life on every plugin. Raises `PluginError` for the first that fails.

        `spoilt` says what the plugin called just now has left in a wrong state, if anything. A
        `ConfigurationError` passes as it is: it already says what is wrong with the settings.
        """
        for impl in self.calls(hook):
            info = self._info_of(impl.plugin_name)
            try:
                self._call(impl, hook, arguments)
                left = spoilt()
                if left is not None:
                    raise info.fault(f"failed in {hook}: {left}")
            except ConfigurationError as error:
                self._failed(info, error)
            except BaseException as error:
                check_failure(error)
                failure = info.fault(f"failed in {hook}: {error!r}")
                failure.__cause__ = error
                self._failed(info, failure)

    def notify_all(self, hook: str, **arguments: Any) -> None:
        """Call a hook of life on every plugin; log those that fail."""
        for impl in self.calls(hook):
            try:
                self._call(impl, hook, arguments)
            except PluginFailed as error:
                logger().exception("%s", error)
            except BaseException as error:
                check_failure(error)
                info = self._info_of(impl.plugin_name)
                logger().exception("%s", info.complaint(f"failed in {hook}: {error!r}"))

    def _call(self, impl: pluggy.HookImpl, hook: str, arguments: Mapping[str, Any]) -> Any:
        function: Callable[..., Any] = impl.function
        if self._trace:
            from pycom_core.plugins._tracing import traced

            function = traced(function, hook, impl.plugin_name)
        return function(*(arguments[name] for name in impl.argnames))

    def _info_of(self, name: str) -> PluginInfo:
        return self.infos.get(name) or PluginInfo(name)

    def _compile(self) -> None:
        self.chains.compile(self.hook, self._complaint, self._trace)
        for watcher in self.watchers:
            watcher()

    def _complaint(self, names: tuple[str, ...], what: str) -> str:
        infos = [self._info_of(name) for name in names]
        if len(infos) == 1:
            return infos[0].complaint(what)
        return f"One of the {', '.join(map(str, infos))} {what}. {ADVICE}"


def cli_plugins(disable: Iterable[str] = ()) -> Plugins:
    """The plugins as the command line sees them, before there is a runtime.

    Plugins that cannot be loaded are marked as failed and stop nobody; commands that need a
    runtime report them. Raises `ConfigurationError` if two have the same name, or if none exists.
    """
    discovery.check()
    names = installed_names()
    plugins = Plugins(set(disable).intersection(names), optional=names, quiet=True)
    plugins.discover()
    return plugins


def _name_of(entry_point: importlib.metadata.EntryPoint) -> str:
    return entry_point.name


def _load_object(entry_point: importlib.metadata.EntryPoint, info: PluginInfo) -> object:
    try:
        found = entry_point.load()
        return found if inspect.ismodule(found) or not callable(found) else found()
    except BaseException as error:
        check_failure(error)
        what = f"cannot be loaded from {entry_point.value}: {type(error).__name__}: {error}"
        if getattr(sys, "frozen", False):
            what += f". A frozen program has what was collected: {discovery.COLLECTED}"
        raise info.fault(what) from error
