"""Finding a nameserver."""

from __future__ import annotations

from pycom_core.context import Context
from pycom_core.nsclient import detect_ns

__all__ = ["Context", "detect_ns"]
