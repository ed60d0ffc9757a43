"""The choice, by settings, among objects that plugins contribute; checked before their use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import attrs

from pycom_core.backends import Balancer, Guarantee, NameserverBackend, SessionStore
from pycom_core.errors import ConfigurationError, PluginError, PluginFailed
from pycom_core.plugins import _fitness as fitness
from pycom_core.plugins._chains import check_failure
from pycom_core.runtime._guards import GuardedBackend, GuardedBalancer, GuardedStore
from pycom_core.settings import Settings
from pycom_core.transport import Transport


@attrs.frozen
class Choice:
    """A setting whose value begins with a name that plugins contribute through a hook."""

    hook: str
    base: type[Any]  #: the base class of the objects that the factories make
    guard: Callable[..., Any]


CHOICES = {
    "nameserver_backend": Choice("pycom_nameserver_backends", NameserverBackend, GuardedBackend),
    "session_store": Choice("pycom_session_stores", SessionStore, GuardedStore),
    "balancer": Choice("pycom_balancers", Balancer, GuardedBalancer),
}


def check(settings: Settings, key: str, known: Collection[str]) -> str:
    """Return the name that a setting chooses. Raises `ConfigurationError` if it is unknown."""
    url = getattr(settings, key)
    name: str = url.partition(":")[0]
    if name not in known:
        raise ConfigurationError(
            f"{key} is {url!r}, but no active plugin contributes {name!r}; "
            f"there are {', '.join(sorted(known)) or 'none'}"
        )
    return name


def check_transport(name: str, known: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    """The factory of a transport. Raises `ConfigurationError`."""
    if name not in known:
        raise ConfigurationError(
            f"transport names {name!r}, but no active plugin contributes it; "
            f"there are {', '.join(sorted(known)) or 'none'}"
        )
    return known[name]


def make_transport(
    name: str, factory: Callable[..., Any], complaint: Callable[[str], str], runtime: Any
) -> Transport:
    """Make a transport of a runtime. Raises `ConfigurationError`, or `PluginError` if unfit."""
    try:
        given = factory(runtime)
    except ConfigurationError:
        raise
    except BaseException as error:
        check_failure(error)
        what = f"contributes the transport {name!r}, which cannot be made: {error!r}"
        raise PluginError(complaint(what)) from error
    if not isinstance(given, Transport):
        what = f"contributes the transport {name!r}, whose factory gave {given!r:.100}"
        raise PluginError(complaint(f"{what}; it must be a Transport"))
    schemes: Any = given.schemes
    if not isinstance(schemes, tuple) or not all(isinstance(one, str) for one in schemes):
        what = f"contributes the transport {name!r}, whose schemes are {schemes!r:.100}"
        raise PluginError(complaint(f"{what}; write a tuple of names, as in ('tcp',)"))
    return given


def make(
    settings: Settings,
    key: str,
    factory: Callable[..., Any],
    complaint: Callable[[str, str], str],
    clock: Callable[[], float],
) -> Any:
    """Make the object that a setting chooses, in a guard: `given` is the object itself.

    `complaint(what, advice)` words what is wrong with the plugin that has the factory. Raises
    `ConfigurationError`, and `PluginError` for an object that is not fit for use.
    """
    choice, url = CHOICES[key], getattr(settings, key)

    def words(what: str) -> str:
        return complaint(
            f"contributes the {key} {url.partition(':')[0]!r}, which {what}",
            f"Fix or uninstall it, or choose another {key}",
        )

    try:
        given = factory(url, clock=clock) if fitness.takes_clock(factory) else factory(url)
        wrong = fitness.wrong_object(given, choice.base)
    except ConfigurationError:
        raise
    except BaseException as error:
        check_failure(error)
        what = words(f"cannot be made from its URL: {type(error).__name__}: {error}")
        raise PluginError(what) from error
    if wrong is not None:
        raise PluginError(words(wrong))
    missing = _wanted(settings, key) & ~getattr(given, "guarantees", Guarantee.NONE)
    if missing:
        raise ConfigurationError(
            f"{key} {url!r} does not guarantee what guarantees.{key} asks for: "
            f"{missing.name or missing}"
        )
    return choice.guard(given, lambda what: PluginFailed(words(what)))


def _wanted(settings: Settings, key: str) -> Guarantee:
    wanted = Guarantee.NONE
    for name in settings.guarantees.get(key, ()):
        wanted |= Guarantee[name.upper()]
    return wanted
