"""Help for the tests of plugins: contract suites, and a clock without waiting.

The suites need pytest; nothing else here does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycom_core.testing.clock import Clock

if TYPE_CHECKING:
    from pycom_core.testing.contracts import (
        BalancerContract,
        NameserverBackendContract,
        SessionStoreContract,
    )

__all__ = [
    "BalancerContract",
    "Clock",
    "NameserverBackendContract",
    "SessionStoreContract",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pycom_core.testing import contracts

    return getattr(contracts, name)
