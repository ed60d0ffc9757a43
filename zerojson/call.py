"""The CALL command."""

from __future__ import annotations

from pycom_plugins.call.command import CallCommand

__all__ = ["CallCommand"]
