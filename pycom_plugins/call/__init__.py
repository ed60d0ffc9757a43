"""CALL: the command that calls methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pycom_core import constants, hookimpl

if TYPE_CHECKING:
    from pycom_core.server._server import Server
    from pycom_core.wire._commands import BaseCommand


@hookimpl
def pycom_commands(server: Server) -> Mapping[bytes, BaseCommand]:
    """The command under its name on the wire."""
    from pycom_plugins.call.command import CallCommand

    return {constants.PROTO_CMD_CALL: CallCommand(server)}
