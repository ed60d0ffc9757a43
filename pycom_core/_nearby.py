"""Services of the same host: reached over a Unix socket, which costs less than loopback TCP.

A service listens on one beside its address and says so in its record. Whoever runs on the same
host as the same user, and sees the socket, connects there; all others use the address.

The socket is a process's own. The record names a link to it, which belongs to the address: a
service that starts again takes it over, and who held a connection finds it again, as over TCP.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import tempfile
from pathlib import Path

from pycom_core._host import boot_id
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
            if path.is_symlink() and not path.exists():
                path.unlink()
            try:
                os.kill(int(path.name.partition("-")[0]), 0)
            except ProcessLookupError:
                path.unlink()


def linked(address: str | None, bound: str) -> str | None:
    """Link to a socket from where the service that is bound to an address is found.

    Returns the address of the link, or of the socket itself where there can be none.
    """
    if address is None:
        return None
    socket = Path(address.removeprefix(_SCHEME))
    # Containers that share the folder have networks of their own.
    place = hashlib.sha256(f"{_network()} {bound}".encode()).hexdigest()
    link, fresh = socket.with_name(f"at-{place[:15]}"), socket.with_name(f"{socket.name}-link")
    try:
        fresh.symlink_to(socket.name)
        fresh.replace(link)
    except OSError:
        return address
    return f"{_SCHEME}{link}"


def _network() -> int:
    """Tells the network of this process from those of others on the same host."""
    try:
        return os.stat("/proc/self/ns/net").st_ino
    except OSError:
        return 0


def remove(address: str | None, link: str | None) -> None:
    """Remove the socket of a server that has closed, and the link unless it is another's now."""
    if address is None or link is None:
        return
    socket, place = (Path(one.removeprefix(_SCHEME)) for one in (address, link))
    with contextlib.suppress(OSError):
        if place.is_symlink() and os.readlink(place) == socket.name:
            place.unlink()
        socket.unlink()


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
