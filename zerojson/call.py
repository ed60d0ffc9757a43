"""The CALL command."""

from __future__ import annotations

from pycom_plugins.call import CallCommand

__all__ = ["CallCommand"]
