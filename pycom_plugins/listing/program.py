"""The command `pycom ls`."""

from __future__ import annotations

from typing import Any

import click

from pycom_core import cli


@click.command()
@cli.options("nameserver", "config", "timeout", "json")
@click.argument("interface", required=False)
def ls(interface: str | None, timeout: float, as_json: bool, **given: Any) -> None:
    """List the services that the nameserver knows.

    With INTERFACE, a regular expression, those with an interface that has such a part in its name.
    """
    context = cli.client_context(given, timeout)
    cli.check_nameserver(context)
    # Nameservers match from the beginning of a name.
    anywhere = f".*(?:{interface})" if interface else None
    found = context.nameserver().invoke("list_services", {"interface": anywhere})
    found.sort(key=lambda item: item["service"])
    if as_json:
        cli.print_json(found)
        return
    if not found:
        what = f"an interface like {interface!r}" if interface else "registered"
        click.echo(f"pycom: no service has {what}", err=True)
    rows = [[item["service"], item["address"], ", ".join(item["interfaces"])] for item in found]
    cli.print_table(["service", "address", "interfaces"], rows)
