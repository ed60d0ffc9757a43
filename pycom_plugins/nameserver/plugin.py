"""The nameserver as a plugin: its service, and the command that runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycom_core import constants, hookimpl

if TYPE_CHECKING:
    import click

    from pycom_core import Interface, Server


@hookimpl
def pycom_provide(server: Server, iface: Interface) -> None:
    """Give the nameserver its backend."""
    if iface.name == constants.NS_INTERFACE and hasattr(iface.instance, "open"):
        iface.instance.open(server.runtime)


@hookimpl
def pycom_shutdown(server: Server) -> None:
    """Close the backend."""
    iface = getattr(server, "interfaces", {}).get(constants.NS_INTERFACE)
    if iface is not None and hasattr(iface.instance, "close"):
        from pycom_core import run_to_end

        run_to_end(iface.instance.close(), server.loop)


@hookimpl
def pycom_cli(group: click.Group) -> None:
    """Add `pycom nameserver`."""
    import click

    from pycom_core.cli import configured, options

    @group.command()
    @options("address", "service", "config", "verbose")
    @click.option(
        "--backend", metavar="URL", help="Where records are kept: memory: or sqlite:///PATH."
    )
    def nameserver(backend: str | None, **given: Any) -> int:
        """Run a nameserver, on tcp://127.0.0.1:2012 unless it is told otherwise."""
        from pycom_core import ServiceProcess
        from pycom_plugins.nameserver.service import NameServer

        runtime = configured(
            {**given, "nameserver": [constants.NS_NAME_LOCAL], "nameserver_backend": backend},
            defaults={
                "address": constants.NS_DEFAULT_ADDRESS,
                "service": constants.NS_DEFAULT_SERVICE,
            },
        )
        return ServiceProcess(runtime, [NameServer()]).run()
