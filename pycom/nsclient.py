"""Finding a nameserver."""

from __future__ import annotations

from pycom_core import Context, detect_ns

__all__ = ["Context", "detect_ns"]
