"""The choice of the mechanism of each connection: in the clear, or proved and encrypted."""

from __future__ import annotations

from abc import ABC, abstractmethod

import attrs

from pycom_core import addresses
from pycom_core.errors import PycomError, ServiceNotAvailable
from pycom_core.keys import Keys
from pycom_plugins.transport_zmtp.engine import Mechanism, Null


class Mechanisms(ABC):
    """Makes the mechanism of each connection of a transport."""

    @abstractmethod
    def of_server(self) -> Mechanism:
        """Make that of a connection which a client made."""

    @abstractmethod
    def of_client(self, address: str) -> Mechanism:
        """Make that of a connection to an address. Raises `ServiceNotAvailable`."""


class Clear(Mechanisms):
    """Proves nothing and hides nothing."""

    def of_server(self) -> Mechanism:
        return Null()

    def of_client(self, address: str) -> Mechanism:
        if addresses.parted(address)[1] is not None:
            raise ServiceNotAvailable(
                f"{address} is for who has a key: set network and key", sent=False
            )
        return Null()


@attrs.frozen
class Encrypted(Mechanisms):
    """CURVE (RFC 26)."""

    _keys: Keys

    def of_server(self) -> Mechanism:
        from pycom_plugins.transport_zmtp.engine.curve import CurveServer  # loads libsodium

        own = self._keys.own
        return CurveServer(own.public, own.secret)

    def of_client(self, address: str) -> Mechanism:
        from pycom_plugins.transport_zmtp.engine.curve import CurveClient

        try:
            own = self._keys.own
            return CurveClient(self._keys.of_server(address), own.public, own.secret)
        except PycomError:
            raise
        except Exception as error:  # of the plugin that knows the keys
            raise ServiceNotAvailable(
                f"The keys for {address} cannot be told: {error!r}", sent=False
            ) from error
