"""Introspection: a service says what it provides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycom_core import hookimpl

if TYPE_CHECKING:
    from pycom_core import Interface


@hookimpl
def pycom_provide(iface: Interface) -> None:
    """Let classes that say what to pass on be introspected without the base class too."""
    if hasattr(iface.wrapped, "introspection_data"):
        from pycom_plugins.introspection.service import METHOD

        iface.methods.setdefault(METHOD.name, METHOD)
