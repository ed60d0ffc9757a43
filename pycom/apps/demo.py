"""The demo service, to be run as a module."""

from __future__ import annotations

from pycom_plugins.demo.service import INTERFACE, Demo

__all__ = ["INTERFACE", "Demo"]
