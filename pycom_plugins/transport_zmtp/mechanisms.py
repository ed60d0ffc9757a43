"""The choice of the mechanism of each connection: in the clear, or proved and encrypted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import attrs

from pycom_plugins.transport_zmtp.engine import Mechanism, Null


class Mechanisms(ABC):
    """Makes the mechanism of each connection of a transport."""

    @abstractmethod
    def of_server(self) -> Mechanism:
        """Make that of a connection which a client made."""

    @abstractmethod
    def of_client(self, address: str) -> Mechanism:
        """Make that of a connection to an address."""


class Clear(Mechanisms):
    """Proves nothing and hides nothing."""

    def of_server(self) -> Mechanism:
        return Null()

    def of_client(self, address: str) -> Mechanism:
        return Null()


@attrs.frozen
class Encrypted(Mechanisms):
    """CURVE (RFC 26). Keys have 32 bytes each.

    `server_key` gives the public key that the server of an address has to prove.
    """

    public: bytes
    secret: bytes = attrs.field(repr=False)
    server_key: Callable[[str], bytes]

    def of_server(self) -> Mechanism:
        from pycom_plugins.transport_zmtp.engine.curve import CurveServer  # loads libsodium

        return CurveServer(self.public, self.secret)

    def of_client(self, address: str) -> Mechanism:
        from pycom_plugins.transport_zmtp.engine.curve import CurveClient

        return CurveClient(self.server_key(address), self.public, self.secret)
