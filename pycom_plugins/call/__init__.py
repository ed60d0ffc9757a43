"""CALL: the command that calls methods, on the wire and on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pycom_core import constants, hookimpl

if TYPE_CHECKING:
    import click

    from pycom_core import BaseCommand, Server


@hookimpl
def pycom_commands(server: Server | None) -> Mapping[bytes, BaseCommand]:
    """The command under its name on the wire."""
    from pycom_plugins.call.command import CallCommand

    return {constants.PROTO_CMD_CALL: CallCommand(server)}


@hookimpl
def pycom_cli(group: click.Group) -> None:
    """Add `pycom call`."""
    from pycom_plugins.call.program import call

    group.add_command(call)
