"""The contract of transports, on the one that stays within the process."""

from __future__ import annotations

import pytest

from pycom_core import LocalTransport
from pycom_core.testing import TransportContract
from pycom_core.testing.contracts.transports import Factory


class TestLocal(TransportContract):
    holds_connections = False

    @pytest.fixture
    def transport_factory(self) -> Factory:
        network = LocalTransport()
        return lambda: network
