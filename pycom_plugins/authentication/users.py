"""Users in a JSON file: `{"users": {NAME: {"password": HASH, "roles": [ROLE, …]}}}`."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
import msgspec

from pycom_core import ConfigurationError, logger


@attrs.frozen
class User:
    """The stored data of a user."""

    password: str  #: its argon2id hash
    roles: tuple[str, ...] = ()


@attrs.frozen
class _Content:
    users: dict[str, User] = attrs.field(factory=dict)


class Users:
    """The users in one file, which is read again when it has changed."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # A link stays: its target is replaced.
        self.path = Path(path).expanduser().resolve()
        self._version: tuple[int, ...] = ()
        self._users: Mapping[str, User] = {}

    def all(self) -> Mapping[str, User]:
        """All users by name. Raises `ConfigurationError` if the file cannot be read."""
        with self._reported("read"):
            found = self.path.stat()
            version = (found.st_mtime_ns, found.st_ino, found.st_size)
            if version != self._version:
                self._users = self._read()
                self._version = version
                if stat.S_IMODE(found.st_mode) & 0o077:
                    logger().warning("Others have access to %s; chmod 600 it", self.path)
        return self._users

    def _read(self) -> dict[str, User]:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_Content).users
        except ValueError as error:
            raise ConfigurationError(f"{self.path} is no file of users: {error}") from error

    @contextlib.contextmanager
    def changed(self) -> Iterator[dict[str, User]]:
        """Give the users, to change in place; then replace the file at once, or not at all.

        A missing file is created. Raises `ConfigurationError`.
        """
        with self._reported("write"), self._locked():
            users = self._read() if self.path.exists() else {}
            yield users
            self._write(users)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        # Lock the directory, as the file itself is about to be replaced.
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield
            os.fsync(directory)
        finally:
            os.close(directory)

    def _write(self, users: dict[str, User]) -> None:
        content = msgspec.json.format(msgspec.json.encode(_Content(users)), indent=2)
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with open(descriptor, "wb") as file:
                if self.path.exists():
                    # Whoever runs the authenticator must still be able to read it.
                    owner = self.path.stat()
                    os.fchown(descriptor, owner.st_uid, owner.st_gid)
                file.write(content + b"\n")
                file.flush()
                os.fsync(descriptor)
            os.replace(name, self.path)
        except BaseException:
            os.unlink(name)
            raise

    @contextlib.contextmanager
    def _reported(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigurationError(
                f"Cannot {what} the file of users {self.path}: {error.strerror}"
            ) from error
