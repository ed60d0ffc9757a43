"""The nameserver, to be run as a module or beside other services."""

from __future__ import annotations

from pycom_plugins.nameserver.service import NameServer

__all__ = ["NameServer"]
