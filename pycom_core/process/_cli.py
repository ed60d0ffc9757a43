"""The program `pycom`: the kernel's own commands. Features add theirs through `pycom_cli`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from pycom_core.errors import ConfigurationError, PluginError
from pycom_core.process._options import configured, options
from pycom_core.process._output import print_json, print_table
from pycom_core.process._program import Program, refusal, run_as_all

if TYPE_CHECKING:
    from pycom_core.client._context import Context
    from pycom_core.plugins._manager import Plugins


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
    from pycom_core.plugins._implementations import hook_names, nearest_hook
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
