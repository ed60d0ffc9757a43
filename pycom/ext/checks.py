"""Argument checks."""

from __future__ import annotations

from pycom_plugins.checks import check_argument

__all__ = ["check_argument"]
