"""Descriptions of interfaces: shown, compared, and turned into typed clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycom_core import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def pycom_cli(group: click.Group) -> None:
    """Add `pycom describe` and `pycom stubs`."""
    from pycom_plugins.descriptions.commands import describe, stubs

    group.add_command(describe)
    group.add_command(stubs)
