"""Why an address cannot be reached: 0MQ tries again without a word, a plain socket says it."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

#: s; a host that does not even refuse within it may be far, and is left to the call itself.
PATIENCE = 1.0


def obstacle(address: str) -> str | None:
    """What keeps one from connecting to an address now; None if nothing does, or nobody can tell.

    For programs that would rather know than wait. It asks the system for the address of a host,
    which may take seconds.
    """
    scheme, _, place = address.partition("://")
    try:
        if scheme == "tcp":
            _try_tcp(address)
        elif scheme == "ipc":
            _try_unix(place)
    except (TimeoutError, BlockingIOError):  # nobody refuses, and nobody accepts
        return None
    except (socket.gaierror, UnicodeError):
        return f"the host name {urlsplit(address).hostname!r} cannot be resolved"
    except OSError as error:
        return error.strerror or str(error)
    return None


def _try_tcp(address: str) -> None:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return
    if host and port and ";" not in host:  # which 0MQ takes as the address to connect from
        socket.create_connection((host, port), PATIENCE).close()


def _try_unix(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PATIENCE)
        probe.connect(f"\0{path[1:]}" if path.startswith("@") else path)
