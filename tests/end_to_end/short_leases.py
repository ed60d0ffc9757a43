"""Makes the service that this module is run beside renew its registration often."""

from __future__ import annotations

from life_services import Life

import pycom_core.registration

__all__ = ["Life"]

pycom_core.registration.RENEWAL = 0.1
pycom_core.registration.PATIENCE = 100.0
