"""`pycom demo`: a nameserver, a service and a client, in processes of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycom_core import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def pycom_cli(group: click.Group) -> None:
    """Add `pycom demo`."""

    @group.command()
    def demo() -> None:
        """Start a nameserver and a service, call it, show what happens, and end."""
        from pycom_plugins.demo.show import show

        show()
