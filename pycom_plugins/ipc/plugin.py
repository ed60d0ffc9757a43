"""The hooks: a service names its socket in its record, and clients connect there.

Clients of the same user on the same host, which can see the socket, connect to it. All others use
the address.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pycom_core import ConfigurationError, hookimpl
from pycom_core.host import boot_id

if TYPE_CHECKING:
    from pycom_core import Server, ServiceRecord
    from pycom_plugins.ipc.sockets import Place


class Ipc:
    """The sockets of the servers of one runtime."""

    def __init__(self) -> None:
        self._places: dict[Server, Place] = {}

    @hookimpl
    def pycom_record(self, server: Server, record: ServiceRecord) -> None:
        """Listen on a socket too, and name it in the record."""
        place = self._places.get(server)
        if place is None and server.runtime.settings.ipc and _can_have_one(server):
            from pycom_plugins.ipc import sockets

            place = sockets.new_place(server.addresses[0])
            if place is not None:
                server.listen(place.socket)
                place.link()
                server.aliases.append(place.address)
                self._places[server] = place
        if place is not None:
            record.metadata.update(ipc=place.address, host=boot_id())

    @hookimpl
    def pycom_address(self, record: ServiceRecord) -> str | None:
        """Return the socket of a service of this host, if it can be reached."""
        address = record.metadata.get("ipc")
        if not isinstance(address, str):
            return None
        if record.metadata.get("host") != boot_id() or not _is_reachable(address):
            return None
        return address

    @hookimpl
    def pycom_shutdown(self, server: Server) -> None:
        """Remove the socket."""
        place = self._places.pop(server, None)
        if place is not None:
            place.remove()


def _can_have_one(server: Server) -> bool:
    """Tell whether a server listens on TCP, and on sockets as well if it is told to."""
    address = "ipc:///"
    try:
        return server.addresses[0].startswith("tcp://") and (
            "ipc" in server.runtime.transport.serving(address).schemes
        )
    except ConfigurationError:  # no transport serves them
        return False


def _is_reachable(address: str) -> bool:
    """Tell whether this user may connect to a socket of this host."""
    return os.access(address.removeprefix("ipc://"), os.R_OK | os.W_OK)
