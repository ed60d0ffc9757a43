"""Typed methods, called in place."""

from __future__ import annotations

from pycom_plugins.typed_methods.contracts import typed

__all__ = ["typed"]
