"""The network of keys as a plugin: its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycom_core import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def pycom_cli(group: click.Group) -> None:
    """Add `pycom key` and `pycom network`."""
    from pycom_plugins.security.commands import key, network

    group.add_command(key)
    group.add_command(network)
