"""Run beside a service, this module makes it renew its registration often."""

from __future__ import annotations

from life_services import Life

import pycom_core.client._registrar

__all__ = ["Life"]

pycom_core.client._registrar.RENEWAL = 0.1
pycom_core.client._registrar.PATIENCE = 100.0
