"""The limits of a server, for each connection and for all of them."""

from __future__ import annotations

import attrs


@attrs.frozen
class Limits:
    """Defaults are for a service that strangers can reach."""

    handshake: float = 10.0  #: s
    connections: int = 10_000
    connections_by_address: int = 1_000
    inbox: int = 10_000  #: requests of a connection that are read before they are run
    #: Bytes of requests of a connection that wait to be run. While half as many wait for a slow
    #: reader as replies, none of its requests is run.
    queued: int = 64 * 1024 * 1024
    queued_in_all: int = 1024 * 1024 * 1024  #: bytes of replies that wait for all slow readers
    stalled: float = 10.0  #: s in which a client whose requests wait takes nothing
    in_flight: int = 1_000  #: requests of a connection that run at a time
    heartbeat: float = 30.0  #: s of silence before a PING, and again after it; 0: no PINGs
    frame: int = 2**30  #: bytes
    commands: int = 1_000  #: of ZMTP that come at once: who sends more only keeps the server busy

    @property
    def message(self) -> int:
        """Bytes of a whole message: its JSON, its attachment, and the frames before them."""
        return 2 * self.frame + 65_536
