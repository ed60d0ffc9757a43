"""Typed methods: the annotations of a method are its contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycom_core import hookimpl

if TYPE_CHECKING:
    from pycom_core import Interface, Server


@hookimpl(trylast=True)
def pycom_provide(server: Server, iface: Interface) -> None:
    """Check the methods of an interface, including those that other plugins have added."""
    from pycom_plugins.typed_methods.contracts import apply_contracts
    from pycom_plugins.typed_methods.options import checks_results

    apply_contracts(iface, server.runtime.types, checks_results(server.runtime.settings))
