"""Interfaces and methods, as hooks see them."""

from __future__ import annotations

from pycom_core.server._interfaces import Interface, Method

__all__ = ["Interface", "Method"]
