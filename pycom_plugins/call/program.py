"""The command `pycom call`."""

from __future__ import annotations

from typing import Any

import click

from pycom_core import cli


@click.command()
@cli.options("nameserver", "service", "config", "timeout", "token")
@click.option(
    "--attachment",
    type=click.File("rb"),
    metavar="FILE",
    help="File to send along; - is standard input.",
)
@click.option(
    "--save",
    type=cli.Destination(),
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
    args = cli.named_values(arguments)
    context = cli.client_context(given, timeout)
    blob = attachment.read() if attachment is not None else None
    with cli.located(context, interface, service) as component:
        cli.refuse_unknown(component, method, args)
        result = component.invoke(method, args, timeout, blob)
    if isinstance(result, tuple):
        result, blob = result
        if save is not None:
            cli.write_file(save, blob)
        else:
            click.echo(f"pycom: an attachment of {len(blob)} bytes came back (--save)", err=True)
    elif save is not None:
        click.echo(f"pycom: no attachment came back, so {save} is not written", err=True)
    cli.print_json(result, err=save == "-")
