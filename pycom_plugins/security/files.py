"""Reading and writing the files of a network: nobody else can have changed or exchanged them.

All functions raise `ConfigurationError`, which says what is wrong and what to do.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from typing import Final

from pycom_core import ConfigurationError
from pycom_plugins.security.folders import OTHERS_WRITE, is_trusted, way_to

#: The modes of files that only their owner reads, and of public ones.
PRIVATE: Final = 0o600
PUBLIC: Final = 0o644
#: The access of others that a file of that mode must not give.
_FORBIDDEN: Final = {PRIVATE: stat.S_IRWXG | stat.S_IRWXO, PUBLIC: OTHERS_WRITE}

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a FIFO does not wait
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_LOCK: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def read(path: str, mode: int = PUBLIC) -> bytes:
    """Return the content of a file that is private or public; others write to neither."""
    with _reported("read", path), way_to(path) as (folder, name):
        descriptor = os.open(name, _READ, dir_fd=folder)
        try:
            _check(path, os.fstat(descriptor), mode)
            with open(descriptor, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(descriptor)


def _check(path: str, found: os.stat_result, mode: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ConfigurationError(f"{path} is no file")
    if not is_trusted(found.st_uid):
        raise ConfigurationError(
            f"{path} belongs to uid {found.st_uid}; it must be your own, or root's: chown it, or "
            "run this as its owner"
        )
    if found.st_mode & _FORBIDDEN[mode]:
        can = "write to" if found.st_mode & OTHERS_WRITE else "read"
        raise ConfigurationError(
            f"Others can {can} {path} (mode {stat.S_IMODE(found.st_mode):04o}); "
            f"chmod {mode:o} {path}"
        )


def create(path: str, content: Callable[[], bytes], mode: int) -> None:
    """Write a new file, as a whole or not at all; never over one that is there.

    `content` is a function, so that no traceback holds what it returns.
    """
    with (
        _reported("write", path),
        way_to(path) as (folder, name),
        _written(folder, name, content, mode) as fresh,
    ):
        try:
            os.link(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
        except FileExistsError:
            raise ConfigurationError(f"{path} is there already; it is not replaced") from None


def replace(path: str, content: Callable[[], bytes], mode: int) -> None:
    """Write a file in place of an older one, as a whole or not at all."""
    with (
        _reported("write", path),
        way_to(path) as (folder, name),
        _written(folder, name, content, mode) as fresh,
    ):
        os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)


@contextlib.contextmanager
def _written(folder: int, name: str, content: Callable[[], bytes], mode: int) -> Iterator[str]:
    """Give the name of a temporary file with that content, which is removed after the block."""
    fresh = f".{name}.{secrets.token_hex(8)}"
    descriptor = os.open(fresh, _NEW, PRIVATE, dir_fd=folder)
    try:
        with open(descriptor, "wb") as file:
            file.write(content())
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        yield fresh
    finally:
        with contextlib.suppress(FileNotFoundError):  # once it is renamed
            os.unlink(fresh, dir_fd=folder)
    _sync(folder)


def _sync(folder: int) -> None:
    descriptor = os.open(".", os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: str) -> None:
    """Make a folder that others can read, unless it exists."""
    with _reported("make", path), way_to(path) as (folder, name):
        try:
            os.mkdir(name, 0o755, dir_fd=folder)
        except FileExistsError:
            return


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold the lock of a file, which is made if it is missing; others wait meanwhile."""
    with contextlib.ExitStack() as held:
        with _reported("lock", path), way_to(path) as (folder, name):
            descriptor = os.open(name, _LOCK, PRIVATE, dir_fd=folder)
            held.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _reported(verb: str, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"Cannot {verb} {path}: {error.strerror}") from error
    except ValueError as error:  # for a NUL
        raise ConfigurationError(f"Cannot {verb} {path!r}: no file has such a name") from error
