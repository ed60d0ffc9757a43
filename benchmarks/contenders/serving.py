"""The addresses of contenders' servers: choosing one, and announcing it."""

from __future__ import annotations

import socket
import sys


def listens_on(address: object) -> None:
    print("listens on", address, file=sys.stderr, flush=True)


def free_port() -> int:
    """A port for a server that cannot choose one by itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
