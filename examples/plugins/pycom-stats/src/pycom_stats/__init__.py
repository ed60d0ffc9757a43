"""Statistics of a server: the command STATS, and the client that reads it."""

from __future__ import annotations

from pycom_stats.client import read

__all__ = ["read"]
