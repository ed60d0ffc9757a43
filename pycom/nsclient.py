"""Finding a nameserver."""

from __future__ import annotations

from pycom_core.client._context import Context
from pycom_core.client._detect import detect_ns

__all__ = ["Context", "detect_ns"]
