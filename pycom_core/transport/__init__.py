"""Carrying messages between addresses. Public: the base classes of transports.

A transport is a plugin (`pycom_transports`). The kernel contains one for calls within the process.
"""

from pycom_core.transport._base import (
    AsyncChannel,
    Channel,
    ConnectedPeer,
    Handler,
    Listener,
    Transport,
)
from pycom_core.transport._stand_in import StandIn

__all__ = [
    "AsyncChannel",
    "Channel",
    "ConnectedPeer",
    "Handler",
    "Listener",
    "StandIn",
    "Transport",
]
