"""A nameserver whose leases last a second."""

from __future__ import annotations

import pycom_plugins.nameserver.service
from pycom.apps.nameserver import NameServer

__all__ = ["NameServer"]

pycom_plugins.nameserver.service.TTL = 1.0
