"""An audit log: who called what, when, and how it ended."""

from __future__ import annotations

from pycom_audit.plugin import Audit

__all__ = ["Audit"]
