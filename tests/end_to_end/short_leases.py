"""Makes the service that this module is run beside renew its registration often."""

from __future__ import annotations

import pycom_core.registration
from life_services import Life

__all__ = ["Life"]

pycom_core.registration.RENEWAL = 0.1
