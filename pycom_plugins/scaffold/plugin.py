"""The command `pycom plugins new`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycom_core import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def pycom_cli(group: click.Group) -> None:
    """Add `new` to `pycom plugins`."""
    import click

    from pycom_plugins.scaffold.command import new

    plugins = group.commands.get("plugins")
    if isinstance(plugins, click.Group):
        plugins.add_command(new)
