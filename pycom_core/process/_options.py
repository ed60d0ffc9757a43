"""Common parts of commands: options, and the runtime and the context that these ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from pycom_core import constants
from pycom_core.errors import ConfigurationError
from pycom_core.process._program import Program

if TYPE_CHECKING:
    from pycom_core.client._client import Client
    from pycom_core.client._context import Context
    from pycom_core.runtime._runtime import Runtime


class Positive(click.FloatRange):
    """The type of an option that is a number above 0, or from 0 on with `or_zero`; never nan."""

    def __init__(self, or_zero: bool = False) -> None:
        super().__init__(min=0, min_open=not or_zero)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Read a number."""
        number: float = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


class _Threads(click.IntRange):
    """The type of an option that is a whole number or "auto"."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Read a number, if it is one."""
        if value == "auto":
            return value
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is neither a number of threads nor 'auto'.", param, ctx)


_OPTIONS: dict[str, Callable[[Any], Any]] = {
    "address": click.option(
        "-a", "--address", metavar="ADDRESS", help="0MQ address to listen on: tcp://HOST:PORT."
    ),
    "nameserver": click.option(
        "-n",
        "--nameserver",
        multiple=True,
        metavar="ADDRESS",
        help="Address of the nameserver, or PYCOM_NAMESERVER; again for each replica.",
    ),
    "service": click.option("-s", "--service", metavar="NAME", help="Name of the service."),
    "config": click.option("-c", "--config", metavar="FILE", help="Configuration, JSON or TOML."),
    "threads": click.option(
        "--threads",
        type=_Threads(),
        metavar="N",
        help="Run sync methods in N threads; auto runs slow ones in one.",
    ),
    "verbose": click.option("-v", "--verbose", is_flag=True, help="Log as much as possible."),
    "json": click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    "timeout": click.option(
        "-t",
        "--timeout",
        type=Positive(),
        default=constants.PROTO_DEFAULT_TIMEOUT,
        metavar="MS",
        show_default=True,
        help="How long to wait for an answer; inf is as long as it takes.",
    ),
    "token": click.option("--token", help="Token of the caller."),
}


def options(*names: str) -> Callable[[Any], Any]:
    """Add the common options of commands, by name."""

    def decorate(function: Any) -> Any:
        for name in reversed(names):
            function = _OPTIONS[name](function)
        return function

    return decorate


def configured(given: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> Runtime:
    """Return the default runtime, with the settings of the command line and the configuration."""
    from pycom_core.process import _showlog as showlog
    from pycom_core.runtime._default import configure_program

    if "verbose" in given:
        showlog.show(bool(given["verbose"]))
    settings = {
        key: value for key, value in given.items() if key not in ("config", "verbose", "token")
    }
    settings["nameserver"] = list(given.get("nameserver") or ()) or None
    runtime = configure_program(given.get("config"), defaults, **settings)
    root = click.get_current_context().find_root()
    command, program = root.invoked_subcommand, root.command
    plugin = program.owner(command) if isinstance(program, Program) else None
    if plugin is not None and plugin not in runtime.plugins.active:
        raise ConfigurationError(f"The plugin {plugin!r}, which has {command!r}, is disabled")
    return runtime


def client_context(given: Mapping[str, Any], timeout: float) -> Context:
    """Return a context for a command that calls services; `located` gives it components.

    If no nameserver is named, it asks the one that `pycom nameserver` runs on this host.
    """
    from pycom_core.client._context import Context

    runtime = configured(given)
    is_named = runtime.settings.nameserver != (constants.NS_NAME_LOCAL,)
    has_one = runtime.server_of(constants.NS_INTERFACE) is not None
    nameserver = None if is_named or has_one else constants.NS_DEFAULT_ADDRESS
    context = Context(nameserver, runtime=runtime, timeout=timeout)
    if given.get("token"):
        context.token = given["token"]
    return context


def located(context: Context, interface: str, service: str | None = None) -> Client:
    """Return a component for an interface, of any service or of the named one.

    Fails at once if the nameserver or the service cannot be reached, while `Context.locate` would
    wait for them. Raises `ServiceNotFound`, `ServiceNotAvailable`.
    """
    from pycom_core.process import _finding as finding

    return finding.located(context, interface, service)


def check_nameserver(context: Context) -> None:
    """Make a context ask reachable nameservers first. Raises `ServiceNotFound`."""
    from pycom_core.process import _finding as finding

    finding.check_nameserver(context)


def check_service(context: Context, address: str, interface: str) -> None:
    """Raise `ServiceNotAvailable` if nothing can be reached at an address."""
    from pycom_core.process import _finding as finding

    finding.check_service(context, address, interface)
