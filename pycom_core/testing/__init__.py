"""Help for tests: networks with faults, a clock without waiting, contract suites for plugins.

The suites need pytest; nothing else here does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pycom_core.testing.clock import Clock as Clock
    from pycom_core.testing.contracts import AuthenticationContract as AuthenticationContract
    from pycom_core.testing.contracts import BalancerContract as BalancerContract
    from pycom_core.testing.contracts import CommandContract as CommandContract
    from pycom_core.testing.contracts import NameserverBackendContract as NameserverBackendContract
    from pycom_core.testing.contracts import SampleCommand as SampleCommand
    from pycom_core.testing.contracts import SampleCredentials as SampleCredentials
    from pycom_core.testing.contracts import SampleObjects as SampleObjects
    from pycom_core.testing.contracts import SessionStoreContract as SessionStoreContract
    from pycom_core.testing.contracts import TransportContract as TransportContract
    from pycom_core.testing.contracts import TypeCodecContract as TypeCodecContract
    from pycom_core.testing.faults import Faults as Faults
    from pycom_core.testing.network import LocalNetwork as LocalNetwork
    from pycom_core.testing.real import RealNetwork as RealNetwork
    from pycom_core.testing.wire import Dealer as Dealer

_HOME_OF = {
    "AuthenticationContract": "contracts",
    "BalancerContract": "contracts",
    "Clock": "clock",
    "CommandContract": "contracts",
    "Dealer": "wire",
    "Faults": "faults",
    "LocalNetwork": "network",
    "NameserverBackendContract": "contracts",
    "RealNetwork": "real",
    "SampleCommand": "contracts",
    "SampleCredentials": "contracts",
    "SampleObjects": "contracts",
    "SessionStoreContract": "contracts",
    "TransportContract": "contracts",
    "TypeCodecContract": "contracts",
}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
