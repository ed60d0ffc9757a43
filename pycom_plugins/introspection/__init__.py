"""Introspection: services describe their interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycom_core import hookimpl

if TYPE_CHECKING:
    from pycom_core import Interface


@hookimpl
def pycom_provide(iface: Interface) -> None:
    """Add `introspect` to interfaces with `introspection_data` that lack the base class."""
    if hasattr(iface.wrapped, "introspection_data"):
        from pycom_plugins.introspection.service import METHOD

        iface.methods.setdefault(METHOD.name, METHOD)
