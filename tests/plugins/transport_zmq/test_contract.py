"""The contract of transports, on 0MQ's sockets."""

from __future__ import annotations

import pytest

from pycom_core.testing import TransportContract
from pycom_core.testing.contracts.transports import Factory
from pycom_plugins.transport_zmq.transport import ZmqTransport


class TestZmq(TransportContract):
    other_addresses = ("tcp://127.0.0.1:0", "tcp://[::1]:*", "tcp://localhost:*", "ipc://*")
    wrong_addresses = ("", "nonsense", "tcp://nowhere", "tcp://1.2.3.4:99999", "tcp://::1:2013")
    refuses_at_once = False
    notices_the_end = False
    aborts_calls = False

    @pytest.fixture
    def transport_factory(self) -> Factory:
        return ZmqTransport
