"""Reasons why an address cannot be reached: 0MQ silently tries again, a plain socket tells."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit


def obstacle(address: str, timeout: float) -> str | None:
    """Say why no connection to an address is possible now; None if one is, or nobody can tell.

    A host that keeps silent for `timeout` s may be far: that is no reason.
    For programs that would rather know than wait. It asks the system for the address of a host,
    which may take seconds.
    """
    scheme, _, place = address.partition("://")
    try:
        if scheme == "tcp":
            _try_tcp(address, timeout)
        elif scheme == "ipc":
            _try_unix(place, timeout)
    except (TimeoutError, BlockingIOError):  # nobody refuses, and nobody accepts
        return None
    except (socket.gaierror, UnicodeError):
        return f"the host name {urlsplit(address).hostname!r} cannot be resolved"
    except OSError as error:
        return error.strerror or str(error)
    return None


def _try_tcp(address: str, timeout: float) -> None:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return
    if host and port and ";" not in host:  # which 0MQ takes as the address to connect from
        socket.create_connection((host, port), timeout).close()


def _try_unix(path: str, timeout: float) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(timeout)
        probe.connect(f"\0{path[1:]}" if path.startswith("@") else path)
