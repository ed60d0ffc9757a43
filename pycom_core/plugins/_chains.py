"""The hooks of a call, compiled: a chain is a tuple of plain callables, and an empty one is free.

pluggy matches arguments by name and collects results anew at every call. The hooks of a call are
fixed between two registrations, so that work is done once, here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pycom_core import hookspecs
from pycom_core.errors import AccessDenied, PluginFailed, RemoteError
from pycom_core.log import logger

Link = Callable[..., Any]
Chain = tuple[Link, ...]

#: The parts of the hooks of a call, as their specs tell them, by name without prefix.
_PARTS: dict[str, str] = {
    name.removeprefix("pycom_"): spec.of_call
    for name, spec in vars(hookspecs).items()
    if hasattr(spec, "of_call")
}
#: Hooks that must be wrappers, and those that may be. Of the others each result is checked.
WRAPPERS = tuple(name for name, part in _PARTS.items() if part == "wraps")
WRAPPABLE = tuple(name for name, part in _PARTS.items() if part in ("wraps", "changes", "denies"))


class HookFailed(PluginFailed):
    """A hook of a plugin raised or returned something that is not allowed."""


#: Words what is wrong with a plugin, or with one of several.
Complaint = Callable[[tuple[str, ...], str], str]
Blame = Callable[[str], HookFailed]


class Chains:
    """The chains of one runtime; changed in place when a plugin comes or goes."""

    __slots__ = (*_PARTS, "_blames")

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Chain:
            """The chain of a hook of a call, by its name without prefix."""

    def __init__(self) -> None:
        self._blames: dict[Link, Blame] = {}
        for name in _PARTS:
            setattr(self, name, ())

    def compile(self, hook: Any, complaint: Complaint, trace: bool = False) -> None:
        """Read the implementations that `hook` (pluggy's) has; `trace` logs every call of them."""
        self._blames = {}
        for name, part in _PARTS.items():
            caller = getattr(hook, f"pycom_{name}")
            arguments: tuple[str, ...] = caller.spec.argnames
            impls = list(reversed(caller.get_hookimpls()))
            if name not in WRAPPERS and any(impl.wrapper or impl.hookwrapper for impl in impls):
                # Wrappers around hooks are rare: there pluggy itself does the calling.
                names = tuple(impl.plugin_name for impl in impls)
                parts = [(_through_pluggy(caller, arguments), arguments, names)]
            else:
                parts = [
                    (impl.function, tuple(impl.argnames), (impl.plugin_name,)) for impl in impls
                ]
            links = []
            for function, taken, names in parts:
                if trace:
                    from pycom_core.plugins._tracing import traced

                    function = traced(function, f"pycom_{name}", ", ".join(names))
                link = _with_all_arguments(function, taken, arguments)
                blame = partial(_failure, complaint, names)
                if part == "listens":
                    link = _logged(link, blame)
                elif name == "address":
                    link = _asked(link, blame)
                elif part in ("changes", "denies", "admits"):
                    link = _checked(name, part, link, blame)
                self._blames[link] = blame
                links.append(link)
            setattr(self, name, tuple(links))

    def failure(self, link: Link, what: str) -> HookFailed:
        """Return the exception that names the plugin of a link, and `what` it did wrong."""
        # A plugin that is gone by now is not known any more.
        blame = self._blames.get(link)
        return HookFailed(f"{link} {what}") if blame is None else blame(what)


def check_failure(error: BaseException) -> None:
    """Raise an exception again that is no failure of a plugin: Ctrl-C, or the end of the call."""
    # Here, since it loads asyncio, which help does not need.
    from pycom_core.loops._failures import is_failure

    if not is_failure(error):
        raise error


def _failure(complaint: Complaint, plugins: tuple[str, ...], what: str) -> HookFailed:
    return HookFailed(complaint(plugins, what))


def _through_pluggy(caller: Any, arguments: tuple[str, ...]) -> Link:
    def link(*values: Any) -> Any:
        # pluggy leaves results that are None out of its list.
        return caller(**dict(zip(arguments, values, strict=True))) or None

    return link


def _checked(name: str, part: str, function: Link, blame: Blame) -> Link:
    denies = part != "changes"
    refusals = AccessDenied if part == "admits" else RemoteError
    wanted = "raise AccessDenied or" if denies else "change the data in place and"

    def link(*values: Any) -> None:
        try:
            result = function(*values)
            if result is not None:
                raise blame(
                    f"returned {type(result).__name__} from pycom_{name}; it must {wanted} return "
                    "None"
                )
        except refusals:
            raise
        except BaseException as error:
            check_failure(error)
            if isinstance(error, HookFailed):
                failure, cause = error, None
            else:
                failure, cause = blame(f"failed in pycom_{name}: {error!r}"), error
            if not denies or (cause is None and part != "admits"):
                raise failure from cause
            logger().exception("%s", failure)
            raise AccessDenied("Access denied") from failure

    return link


def _logged(function: Link, blame: Blame) -> Link:
    def link(*values: Any) -> None:
        try:
            function(*values)
        except BaseException as error:
            check_failure(error)
            logger().exception("%s", blame(f"failed in pycom_end: {error!r}"))

    return link


def _asked(function: Link, blame: Blame) -> Link:
    def link(*values: Any) -> Any:
        try:
            address = function(*values)
        except BaseException as error:
            check_failure(error)
            raise blame(f"failed in pycom_address: {error!r}") from error
        if address is not None and type(address) is not str:
            raise blame(
                f"returned {type(address).__name__} from pycom_address; it must return an "
                "address, or None"
            )
        return address

    return link


def _with_all_arguments(
    function: Link, argnames: tuple[str, ...], arguments: tuple[str, ...]
) -> Link:
    if argnames == arguments:
        return function
    wanted = [arguments.index(name) for name in argnames]
    if not wanted:
        return lambda *values: function()
    if len(wanted) == 1:
        only = wanted[0]
        return lambda *values: function(values[only])
    pick = itemgetter(*wanted)
    return lambda *values: function(*pick(values))
