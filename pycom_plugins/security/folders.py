"""The way to a file, on which no folder may be open to others.

The rule is that of StrictModes of sshd_config(5): who can write to a folder on the way can put
another file at its end. Each folder is opened from the one before it, so that what has been checked
is what is used, and so are the folders that symbolic links lead to.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import stat
from collections.abc import Iterator
from typing import Final

from pycom_core import ConfigurationError

#: Linux opens a folder that one may pass through, but not list, with O_PATH only (open(2)).
_FOLDER: Final = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
#: Links on one way, as in path_resolution(7).
_MOST_LINKS: Final = 40

OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


@contextlib.contextmanager
def way_to(path: str) -> Iterator[tuple[int, str]]:
    """Give the descriptor of the folder where a file lies, and the file's name in that folder.

    Symbolic links are followed, to the last one. The file need not exist. Raises OSError, and
    `ConfigurationError` for a folder that others can write to.
    """
    way = _Way(path)
    try:
        yield way.end()
    finally:
        os.close(way.folder)


def is_trusted(owner: int) -> bool:
    """Tell whether a user is the one of this process, or root."""
    return owner in (0, os.geteuid())


class _Way:
    def __init__(self, path: str) -> None:
        self._path = path
        self._place = "/"
        self.folder = os.open("/", _FOLDER)

    def end(self) -> tuple[int, str]:
        """Walk to the last folder. Returns it, and the name that is left."""
        links = 0
        ahead = _parts(os.path.join(os.getcwd(), self._path))
        self._check()
        while True:
            name = ahead.pop() if ahead else "."
            target = self._target(name)
            if target is not None:
                links += 1
                if links > _MOST_LINKS:
                    raise ConfigurationError(f"Too many symbolic links on the way to {self._path}")
                if target.startswith("/"):
                    self._enter("/")
                ahead += _parts(target)
            elif ahead:
                self._enter(name)
            else:
                self._check(is_last=True)
                return self.folder, name

    def _target(self, name: str) -> str | None:
        """Return where a symbolic link leads, or None if there is none of that name."""
        try:
            found = os.lstat(name, dir_fd=self.folder)
        except FileNotFoundError:
            return None
        if not stat.S_ISLNK(found.st_mode):
            return None
        # In a folder like /tmp anybody can make links, but nobody can replace those of others.
        if not is_trusted(found.st_uid):
            link = posixpath.join(self._place, name)
            raise ConfigurationError(
                f"{self._path} leads over the symbolic link {link}, which belongs to uid "
                f"{found.st_uid}; name the file itself"
            )
        return os.readlink(name, dir_fd=self.folder)

    def _enter(self, name: str) -> None:
        entered = os.open(name, _FOLDER, dir_fd=self.folder)
        os.close(self.folder)
        self.folder = entered
        self._place = posixpath.normpath(posixpath.join(self._place, name))
        self._check()

    def _check(self, is_last: bool = False) -> None:
        found = os.fstat(self.folder)
        if not is_trusted(found.st_uid):
            raise ConfigurationError(
                f"{self._path} is not safe: the folder {self._place} belongs to uid "
                f"{found.st_uid}, who could exchange it. Run this as that user, or keep the file "
                "in a folder of your own or of root's"
            )
        # In a folder with the sticky bit, like /tmp, others can add, but not rename or remove.
        passable = found.st_mode & stat.S_ISVTX and not is_last
        if found.st_mode & OTHERS_WRITE and not passable:
            advice = (
                "keep the file in a folder of your own"
                if found.st_mode & stat.S_ISVTX
                else f"chmod go-w {self._place}"
            )
            raise ConfigurationError(
                f"{self._path} is not safe: others can write to the folder {self._place} (mode "
                f"{stat.S_IMODE(found.st_mode):04o}); {advice}"
            )


def _parts(path: str) -> list[str]:
    """Return the names in a path, the last one first."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]
