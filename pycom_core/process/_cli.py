"""The `pycom` command line. Features add their own commands through `pycom_cli`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from pycom_core import constants
from pycom_core.errors import ConfigurationError, PluginError
from pycom_core.process._arguments import named_values, refuse_unknown
from pycom_core.process._output import Destination, print_json, print_table, printable, write_file
from pycom_core.process._program import Program, refusal, run_as_all

if TYPE_CHECKING:
    from pycom_core.client._client import Client
    from pycom_core.client._context import Context
    from pycom_core.plugins._manager import Plugins
    from pycom_core.runtime._runtime import Runtime

#: What commands of plugins are made with, too.
__all__ = [
    "Destination",
    "Positive",
    "client_context",
    "configured",
    "located",
    "main",
    "named_values",
    "options",
    "print_json",
    "print_table",
    "printable",
    "refuse_unknown",
    "signature",
    "write_file",
]


class Positive(click.FloatRange):
    """The type of an option that is a number above 0, or from 0 on with `or_zero`; nan is none."""

    def __init__(self, or_zero: bool = False) -> None:
        super().__init__(min=0, min_open=not or_zero)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Read a number."""
        number: float = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


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
        "--threads", type=int, metavar="N", help="Run sync methods in N threads."
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
    """The options that commands have in common, by name."""

    def decorate(function: Any) -> Any:
        for name in reversed(names):
            function = _OPTIONS[name](function)
        return function

    return decorate


def configured(given: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> Runtime:
    """The default runtime, with what the command line gives beside the configuration."""
    from pycom_core.process import _showlog as showlog
    from pycom_core.runtime._default import configure_program

    if "verbose" in given:
        showlog.show(bool(given["verbose"]))
    settings = {
        key: value for key, value in given.items() if key not in ("config", "verbose", "token")
    }
    settings["nameserver"] = list(given.get("nameserver") or ()) or None
    runtime = configure_program(given.get("config"), defaults, **settings)
    command = click.get_current_context().find_root().invoked_subcommand
    plugin = main.owner(command)
    if plugin is not None and plugin not in runtime.plugins.active:
        raise ConfigurationError(f"The plugin {plugin!r}, which has {command!r}, is disabled")
    return runtime


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pycom")
def main() -> None:
    """Services that find and call each other."""


@main.command()
@options("address", "nameserver", "service", "config", "threads", "verbose")
@click.argument("modules", nargs=-1, required=True, metavar="MODULE...")
@click.pass_obj
def run(obj: Context | None, /, modules: tuple[str, ...], **given: Any) -> int:
    """Run the interfaces that are in Python modules as one service."""
    configured(given)
    return run_modules(modules, obj)


def run_modules(modules: tuple[str, ...], context: Context | None = None) -> int:
    """Run modules with the default runtime, which they may configure when they are imported."""
    from pycom_core.process._launcher import ServiceProcess, load_providers
    from pycom_core.runtime._default import default_runtime

    providers = load_providers(modules)
    return ServiceProcess(default_runtime(), providers, context).run()


@main.command()
@options("nameserver", "service", "config", "timeout", "token")
@click.option(
    "--attachment",
    type=click.File("rb"),
    metavar="FILE",
    help="File to send along; - is standard input.",
)
@click.option(
    "--save",
    type=Destination(),
    metavar="FILE",
    help="Where to write the attachment that comes back; - is standard output, and what is printed "
    "then goes to standard error.",
)
@click.argument("interface")
@click.argument("method")
@click.argument("arguments", nargs=-1, metavar="[NAME=VALUE]...")
def call(
    interface: str,
    method: str,
    arguments: tuple[str, ...],
    timeout: float,
    attachment: Any,
    save: str | None,
    service: str | None,
    **given: Any,
) -> None:
    """Call a method and print its result as JSON.

    Each VALUE is JSON where it parses as such, and a string elsewhere.
    """
    args = named_values(arguments)
    context = client_context(given, timeout)
    blob = attachment.read() if attachment is not None else None
    with located(context, interface, service) as component:
        refuse_unknown(component, method, args)
        result = component.invoke(method, args, timeout, blob)
    if isinstance(result, tuple):
        result, blob = result
        if save is not None:
            write_file(save, blob)
        else:
            click.echo(f"pycom: an attachment of {len(blob)} bytes came back (--save)", err=True)
    elif save is not None:
        click.echo(f"pycom: no attachment came back, so {save} is not written", err=True)
    print_json(result, err=save == "-")


def client_context(given: Mapping[str, Any], timeout: float) -> Context:
    """A context for a command that calls services; `located` gives it components.

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
    """A component for an interface, of any service or of the one that is named.

    It says at once if the nameserver or the service cannot be reached, where `Context.locate` would
    wait for them to come. Raises `ServiceNotFound`, `ServiceNotAvailable`.
    """
    from pycom_core.process import _finding as finding

    return finding.located(context, interface, service)


@main.command()
@options("nameserver", "config", "timeout", "json")
@click.argument("interface", required=False)
def ls(interface: str | None, timeout: float, as_json: bool, **given: Any) -> None:
    """List the services that the nameserver knows.

    With INTERFACE, a regular expression, those with an interface that has such a part in its name.
    """
    from pycom_core.process._finding import check_nameserver

    context = client_context(given, timeout)
    check_nameserver(context)
    # Nameservers match from the beginning of a name.
    anywhere = f".*(?:{interface})" if interface else None
    found = context.nameserver().invoke("list_services", {"interface": anywhere})
    found.sort(key=lambda item: item["service"])
    if as_json:
        print_json(found)
        return
    if not found:
        what = f"an interface like {interface!r}" if interface else "registered"
        click.echo(f"pycom: no service has {what}", err=True)
    rows = [[item["service"], item["address"], ", ".join(item["interfaces"])] for item in found]
    print_table(["service", "address", "interfaces"], rows)


def signature(name: str, method: Mapping[str, Any]) -> str:
    """One line that says how a method is called."""
    arguments = [
        *method["required_arguments"],
        *(f"{argument}=…" for argument in method["optional_arguments"]),
    ]
    results = f" → {', '.join(method['results'])}" if method["results"] else ""
    return f"{name}({', '.join(arguments)}){results}"


@main.group(invoke_without_command=True)
@options("config", "json")
@click.pass_context
def plugins(ctx: click.Context, as_json: bool, config: str | None) -> None:
    """Show the plugins: where they come from, what they do, whether they are in use."""
    if ctx.invoked_subcommand is not None:
        return
    from pycom_core.process._doctor import examine

    found = examine(_diagnosed(config))
    if as_json:
        print_json(found)
        return
    rows = [
        [
            item["name"],
            f"{item['distribution']} {item['version']}",
            item["state"] + (f": {item['reason']}" if item["reason"] else ""),
            ", ".join(item["hooks"]),
            ", ".join(name for names in item["contributions"].values() for name in names),
            f"{item['load_time_ms']:.1f} ms",
        ]
        for item in found
    ]
    header = ["name", "distribution", "state", "hooks", "contributions", "loaded in"]
    print_table(header, rows, least=("hooks", "loaded in"))


@plugins.command()
@options("config", "json")
@click.argument("hook", required=False)
@click.pass_context
def explain(ctx: click.Context, hook: str | None, as_json: bool, config: str | None) -> None:
    """Show which plugins implement HOOK, or each of the hooks, in the order of the calls."""
    from pycom_core.plugins._manager import hook_names, nearest_hook
    from pycom_core.process._doctor import explain

    assert ctx.parent is not None
    if hook is not None and hook not in hook_names():
        raise click.UsageError(f"There is no hook {hook!r}{nearest_hook(hook)}")
    examined = _diagnosed(config or ctx.parent.params["config"])
    found = [explain(examined, name) for name in ([hook] if hook else hook_names())]
    if as_json or ctx.parent.params["as_json"]:
        print_json(found[0] if hook else found)
    elif hook is None:
        rows = [
            [item["hook"], ", ".join(call["plugin"] for call in item["calls"])] for item in found
        ]
        print_table(["hook", "plugins, the first called first"], rows)
    else:
        click.echo(f"{found[0]['signature']}\n{found[0]['about']}")
        rows = [
            [
                str(place),
                call["plugin"],
                call["distribution"] or "registered by hand",
                f"{call['function']}({', '.join(call['arguments'])})",
                ", ".join([*call["marks"], *[call["state"]] * (call["state"] != "active")]),
            ]
            for place, call in enumerate(found[0]["calls"], 1)
        ]
        print_table(["order", "plugin", "distribution", "function", "marks"], rows)


def _diagnosed(config: str | None) -> Plugins:
    from pycom_core.process._doctor import diagnosed
    from pycom_core.runtime._runtime import load_settings

    return diagnosed(load_settings(config))


def service_main(argv: list[str] | None = None, client_context: Context | None = None) -> Any:
    """Run a service: of the modules that `argv` names, or of all modules that are loaded.

    `client_context` finds the nameserver that the service registers with. Raises
    `ConfigurationError`, which ends a program that does not catch it without a traceback.
    """
    try:
        return _run_loaded(client_context) if argv is None else _run(argv, client_context)
    except PluginError:
        raise
    except (ConfigurationError, click.ClickException) as error:
        raise refusal(error) from error


def _run(argv: list[str], context: Context | None = None) -> Any:
    return run.main(list(argv), obj=context, standalone_mode=False, **main.context_settings)


def _run_loaded(context: Context | None) -> int:
    from pycom_core.process import _showlog as showlog
    from pycom_core.process._launcher import ServiceProcess, all_providers
    from pycom_core.runtime._default import default_runtime

    showlog.show(verbose=False)
    return ServiceProcess(default_runtime(), all_providers(), context).run()


def module_main() -> None:
    """`python -m pycom`: what `pycom run` does."""
    run_as_all(_module_main)


def _module_main() -> None:
    try:
        _run(sys.argv[1:])
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
