"""Measurements of any running services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycom_core import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def pycom_cli(group: click.Group) -> None:
    """Add `pycom bench`."""
    from pycom_plugins.bench.command import bench

    group.add_command(bench)
