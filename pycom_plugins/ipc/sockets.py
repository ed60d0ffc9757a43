"""The Unix sockets of services, in a folder that is the user's alone.

Each process has a socket of its own. Records name a link to it, which belongs to the address. A
service that starts again takes over the link, so that its clients find it again, as over TCP.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import tempfile
from pathlib import Path

import attrs

_SCHEME = "ipc://"
#: Bytes that the path of a Unix socket may have (sun_path of unix(7), less its end).
_LONGEST = 107


@attrs.frozen
class Place:
    """The socket of one server, and the link to it."""

    _path: Path
    _link: Path

    @property
    def socket(self) -> str:
        """The address to listen on."""
        return f"{_SCHEME}{self._path}"

    @property
    def address(self) -> str:
        """The address to connect to: that of the link, or of the socket if no link is possible."""
        return f"{_SCHEME}{self._link if self._leads_here() else self._path}"

    def link(self) -> None:
        """Let the link of the address lead to this socket."""
        fresh = self._path.with_name(f"{self._path.name}-link")
        with contextlib.suppress(OSError):
            fresh.symlink_to(self._path.name)
            fresh.replace(self._link)

    def _leads_here(self) -> bool:
        try:
            return os.readlink(self._link) == self._path.name
        except OSError:
            return False

    def remove(self) -> None:
        """Remove the socket of a closing server, and the link unless it leads elsewhere now."""
        with contextlib.suppress(OSError):
            if self._leads_here():
                self._link.unlink()
            self._path.unlink()


def new_place(bound: str) -> Place | None:
    """Return a place for the server that is bound to an address; None if no safe one exists."""
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
    # Containers that share the folder have networks of their own.
    name = hashlib.sha256(f"{_network()} {bound}".encode()).hexdigest()
    path = folder / f"{os.getpid()}-{secrets.token_hex(8)}"
    return Place(path, folder / f"at-{name[:15]}") if len(os.fsencode(path)) <= _LONGEST else None


def _sweep(folder: Path) -> None:
    """Remove the sockets and links that killed processes left."""
    for path in folder.iterdir():
        with contextlib.suppress(ValueError, OSError):
            if path.is_symlink() and not path.exists():
                path.unlink()
            try:
                os.kill(int(path.name.partition("-")[0]), 0)
            except ProcessLookupError:
                path.unlink()


def _network() -> int:
    """Return a number that tells this process's network from others on the same host."""
    try:
        return os.stat("/proc/self/ns/net").st_ino
    except OSError:
        return 0
