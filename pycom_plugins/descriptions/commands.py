"""`pycom describe` and `pycom stubs`."""

from __future__ import annotations

import sys
from typing import Any

import click

# Little is imported here, since `pycom --help` needs all commands.
from pycom_core import cli


@click.command()
@cli.options("nameserver", "service", "config", "timeout", "token", "json")
@click.option(
    "--diff",
    "other",
    metavar="FILE|ADDRESS",
    help="Show what has changed since FILE, which --json printed, or since what the service or "
    "nameserver at ADDRESS has. The exit status is 1 if a change breaks callers.",
)
@click.argument("interface")
def describe(
    interface: str,
    service: str | None,
    timeout: float,
    as_json: bool,
    other: str | None,
    **given: Any,
) -> None:
    """Show the methods of an interface."""
    from pycom_plugins.descriptions import sources

    context = cli.client_context(given, timeout)
    found = sources.introspect(context, interface, service)
    with sources.not_too_deep():
        if other is not None:
            _show_changes(sources.read(context, other, interface), found, as_json)
        elif as_json:
            cli.print_json(found)
        else:
            _show(found)


def _show(found: Any) -> None:
    import inspect

    from pycom_plugins.descriptions.description import understand
    from pycom_plugins.descriptions.text import signature

    description = understand(found)
    about = inspect.cleandoc(description.docstring or "")
    click.echo(cli.printable(description.name + (f": {about}" if about else "")))
    methods = sorted(description.methods.items())
    cli.print_table(
        ["method", "about"], [[signature(name, one), one.summary] for name, one in methods]
    )
    types = {name: type_ for _, one in methods for name, type_ in one.definitions.items()}
    if types:
        click.echo()
        # By their titles, as methods refer to them.
        rows = [[one.title or name, one.bare()] for name, one in sorted(types.items())]
        cli.print_table(["type", "meaning"], rows)


def _show_changes(old: Any, new: Any, as_json: bool) -> None:
    import attrs

    from pycom_plugins.descriptions.description import understand
    from pycom_plugins.descriptions.diff import compare

    changes = compare(understand(old), understand(new))
    if as_json:
        cli.print_json([attrs.asdict(change) for change in changes])
    elif not changes:
        click.echo("Nothing has changed.")
    else:
        rows = [
            ["BREAKING" if one.breaking else "harmless", one.method, one.where, one.what]
            for one in changes
        ]
        cli.print_table(["effect", "method", "where", "change"], rows)
    if any(change.breaking for change in changes):
        sys.exit(1)


@click.command()
@cli.options("nameserver", "service", "config", "timeout", "token")
@click.option(
    "-o",
    "--output",
    type=cli.Destination(),
    default="-",
    metavar="FILE",
    help="Where to write; standard output unless said otherwise.",
)
@click.argument("interface")
def stubs(interface: str, service: str | None, timeout: float, output: str, **given: Any) -> None:
    """Write a typed client of an interface, in Python."""
    from pycom_plugins.descriptions import sources
    from pycom_plugins.descriptions.description import understand
    from pycom_plugins.descriptions.stubs import write

    found = sources.introspect(cli.client_context(given, timeout), interface, service)
    with sources.not_too_deep():
        source = write(understand(found))
    cli.write_file(output, source.encode())
