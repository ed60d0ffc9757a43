"""ZMTP 3 without I/O: bytes in, events out, bytes to send.

The mechanism CURVE is in `engine.curve`, which loads libsodium.
"""

from pycom_plugins.transport_zmtp.engine.connection import Connection
from pycom_plugins.transport_zmtp.engine.errors import OldPeer, ProtocolError, Refused
from pycom_plugins.transport_zmtp.engine.events import Event, Message, Ping, Pong, Ready, TooBig
from pycom_plugins.transport_zmtp.engine.mechanism import Mechanism
from pycom_plugins.transport_zmtp.engine.null import Null
from pycom_plugins.transport_zmtp.engine.storage import Storage

__all__ = [
    "Connection",
    "Event",
    "Mechanism",
    "Message",
    "Null",
    "OldPeer",
    "Ping",
    "Pong",
    "ProtocolError",
    "Ready",
    "Refused",
    "Storage",
    "TooBig",
]
