"""The authenticator as a plugin: its service, and commands to run it and to manage its users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycom_core import constants, hookimpl

if TYPE_CHECKING:
    import click

    from pycom_core import Interface, Server


@hookimpl
def pycom_provide(server: Server, iface: Interface) -> None:
    """Give the authenticator its users."""
    if iface.name == constants.AUTH_INTERFACE:
        from pycom_plugins.authentication.service import Authenticator

        if isinstance(iface.instance, Authenticator):
            iface.instance.open(server.runtime)


@hookimpl
def pycom_shutdown(server: Server) -> None:
    """End the threads of the authenticator."""
    iface = getattr(server, "interfaces", {}).get(constants.AUTH_INTERFACE)
    if iface is not None:
        from pycom_plugins.authentication.service import Authenticator

        if isinstance(iface.instance, Authenticator):
            iface.instance.close()


@hookimpl
def pycom_cli(group: click.Group) -> None:
    """Add `pycom authenticator` and `pycom users`."""
    from pycom_plugins.authentication.commands import authenticator, users

    group.add_command(authenticator)
    group.add_command(users)
