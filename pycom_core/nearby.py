"""Services of the same host: reached over a Unix socket, which costs less than loopback TCP.

A service listens on one beside its address and says so in its record. Whoever runs on the same
host as the same user, and sees the socket, connects there; all others use the address.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from pycom_core.host import boot_id
from pycom_core.records import ServiceRecord

_SCHEME = "ipc://"
#: Bytes that the path of a Unix socket may have (sun_path of unix(7), less its end).
_LONGEST = 107


def new_address() -> str | None:
    """An address for a server of this process; None where there is no safe place for it."""
    if not hasattr(os, "getuid"):
        return None
    folder = Path(tempfile.gettempdir(), f"pycom-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    if found.st_uid != os.getuid() or found.st_mode & 0o077 or folder.is_symlink():
        return None  # somebody else's: who can write there could listen in our place
    _sweep(folder)
    path = folder / f"{os.getpid()}-{secrets.token_hex(8)}"
    return f"{_SCHEME}{path}" if len(os.fsencode(path)) <= _LONGEST else None


def _sweep(folder: Path) -> None:
    """Remove what processes left that were killed."""
    for path in folder.iterdir():
        with contextlib.suppress(ValueError, OSError):
            try:
                os.kill(int(path.name.partition("-")[0]), 0)
            except ProcessLookupError:
                path.unlink()


def remove(address: str) -> None:
    """Remove the socket of a server that has closed."""
    with contextlib.suppress(OSError):
        os.unlink(address.removeprefix(_SCHEME))


def metadata(address: str | None) -> dict[str, str]:
    """What a record says of a socket beside its address."""
    return {"ipc": address, "host": boot_id()} if address else {}


def nearest(record: ServiceRecord) -> str:
    """The address to reach a service at from here."""
    address = record.metadata.get("ipc")
    if not isinstance(address, str) or record.metadata.get("host") != boot_id():
        return record.address
    reachable = os.access(address.removeprefix(_SCHEME), os.R_OK | os.W_OK)
    return address if reachable else record.address
