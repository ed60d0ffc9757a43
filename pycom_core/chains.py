"""The hooks of a call, compiled: a chain is a tuple of plain callables, and an empty one is free.

pluggy matches arguments by name and collects results anew at every call. The hooks of a call are
fixed between two registrations, so that work is done once, here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pycom_core.errors import AccessDenied, PycomError, RemoteError
from pycom_core.log import logger

Link = Callable[..., Any]
Chain = tuple[Link, ...]

#: The arguments that each hook of a call is given, in the order of the kernel's calls.
_ARGUMENTS = {
    "authenticate": ("iface", "method", "request"),
    "authorize": ("identity", "iface", "method", "request"),
    "prehook": ("iface", "method", "data"),
    "invoke": ("iface", "method", "request"),
    "posthook": ("iface", "method", "data"),
    "client_prehook": ("component", "data"),
    "client_posthook": ("component", "data"),
}


class HookFailed(PycomError):
    """A hook of a plugin raised what it may not, or returned what it may not."""


class Chains:
    """The chains of one runtime; changed in place when a plugin comes or goes."""

    __slots__ = tuple(_ARGUMENTS)

    authenticate: Chain
    authorize: Chain
    prehook: Chain
    invoke: Chain
    posthook: Chain
    client_prehook: Chain
    client_posthook: Chain

    def __init__(self) -> None:
        for name in _ARGUMENTS:
            setattr(self, name, ())

    def compile(self, hook: Any, describe: Callable[[str], str]) -> None:
        """Read the implementations that `hook` (pluggy's) has; `describe` names a plugin."""
        for name, arguments in _ARGUMENTS.items():
            caller = getattr(hook, f"pycom_{name}")
            impls = list(reversed(caller.get_hookimpls()))
            if name != "invoke" and any(impl.wrapper or impl.hookwrapper for impl in impls):
                # Wrappers around hooks are rare: there pluggy itself does the calling.
                names = ", ".join(impl.plugin_name for impl in impls)
                link = _through_pluggy(caller, arguments)
                chain: Chain = (_checked(name, link, f"one of the plugins {names}"),)
            else:
                chain = tuple(
                    _link(name, impl, arguments, describe(impl.plugin_name)) for impl in impls
                )
            setattr(self, name, chain)


def _through_pluggy(caller: Any, arguments: tuple[str, ...]) -> Link:
    def link(*values: Any) -> Any:
        # pluggy leaves results that are None out of its list.
        return caller(**dict(zip(arguments, values, strict=True))) or None

    return link


def _link(name: str, impl: Any, arguments: tuple[str, ...], plugin: str) -> Link:
    function = _with_all_arguments(impl, arguments)
    if name in ("authenticate", "invoke"):
        return function  # the kernel looks at their results and failures itself
    return _checked(name, function, f"the {plugin}")


def _checked(name: str, function: Link, plugin: str) -> Link:
    denies = name == "authorize"

    def link(*values: Any) -> None:
        try:
            result = function(*values)
        except RemoteError:
            raise
        except Exception as error:
            failure = HookFailed(f"{plugin} failed in pycom_{name}: {error!r}")
            if not denies:
                raise failure from error
            logger().exception("%s", failure)
            raise AccessDenied("Access denied") from failure
        if result is not None:
            raise HookFailed(
                f"{plugin} returned {type(result).__name__} from pycom_{name}; it must change "
                "the data in place and return None"
            )

    return link


def _with_all_arguments(impl: Any, arguments: tuple[str, ...]) -> Link:
    function: Link = impl.function
    if tuple(impl.argnames) == arguments:
        return function
    wanted = [arguments.index(name) for name in impl.argnames]

    def fewer(*values: Any) -> Any:
        return function(*[values[index] for index in wanted])

    return fewer
