"""Interfaces and methods, as hooks see them."""

from __future__ import annotations

from pycom_core import Interface, Method

__all__ = ["Interface", "Method"]
