"""Authentication by signed tokens, and their keys."""

from __future__ import annotations

from pycom_jwt.issuing import issue, rotate

__all__ = ["issue", "rotate"]
