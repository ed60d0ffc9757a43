"""The list of services, on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycom_core import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def pycom_cli(group: click.Group) -> None:
    """Add `pycom ls`."""
    from pycom_plugins.listing.program import ls

    group.add_command(ls)
