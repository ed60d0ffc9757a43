"""The script `pycom-nameserver`."""

from __future__ import annotations

from pycom_plugins.nameserver.script import main

__all__ = ["main"]
