"""The duties of every plugin of a kind, as test suites to subclass.

Subclass a suite, supply the one fixture it names, and pytest runs it on your backend:

    class TestMyBackend(NameserverBackendContract):
        @pytest.fixture
        def backend_factory(self, clock):
            return lambda: MyBackend("my:", clock=clock.now)

The factory is called inside the running event loop. Every call within one test must give another
backend on the same content, which is empty at the start of each test. The second call happens only
if the backend claims to be `PERSISTENT` or `SHARED`: only claims are tested. The fixtures for
commands, authentication and types are not factories, but a `SampleCommand`, `SampleCredentials` and
`SampleObjects`.

The suites move `clock`, a `pycom_core.testing.Clock`, so they need not wait. A backend that keeps
time elsewhere overrides two things: `ttl`, its shortest sensible lease in seconds, and `advance`,
which then sleeps.
"""

from __future__ import annotations

import pytest

_SUITES = (
    "authentication",
    "balancing",
    "commands",
    "common",
    "nameserver",
    "sessions",
    "transports",
    "types",
)
# So that a failing assertion of a suite shows its values, as in the author's own tests.
pytest.register_assert_rewrite(
    *(f"{__name__}.{name}" for name in _SUITES), "pycom_core.testing.wire"
)

from pycom_core.testing.contracts.authentication import (  # noqa: E402
    AuthenticationContract,
    SampleCredentials,
)
from pycom_core.testing.contracts.balancing import BalancerContract  # noqa: E402
from pycom_core.testing.contracts.commands import CommandContract, SampleCommand  # noqa: E402
from pycom_core.testing.contracts.nameserver import NameserverBackendContract  # noqa: E402
from pycom_core.testing.contracts.sessions import SessionStoreContract  # noqa: E402
from pycom_core.testing.contracts.transports import TransportContract  # noqa: E402
from pycom_core.testing.contracts.types import SampleObjects, TypeCodecContract  # noqa: E402

__all__ = [
    "AuthenticationContract",
    "BalancerContract",
    "CommandContract",
    "NameserverBackendContract",
    "SampleCommand",
    "SampleCredentials",
    "SampleObjects",
    "SessionStoreContract",
    "TransportContract",
    "TypeCodecContract",
]
