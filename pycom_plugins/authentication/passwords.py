"""Passwords, kept as argon2id hashes."""

from __future__ import annotations

from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from pycom_core import logger

#: Characters of a password, or of a name.
LONGEST: Final = 1024

_hasher = PasswordHasher()


def hashed(password: str) -> str:
    """Return the hash of a password, for storage. Takes long to compute, on purpose."""
    return _hasher.hash(_encoded(password))


def matches(kept: str, password: str) -> bool:
    """Tell whether a password fits a stored hash; takes as long as `hashed`."""
    try:
        return _hasher.verify(kept, _encoded(password))
    except VerifyMismatchError:
        return False
    except (InvalidHashError, VerificationError):
        logger().error("A password is kept as what is no argon2 hash; nobody can log in with it")
        return False


def _encoded(password: str) -> bytes:
    # JSON can contain lone surrogates, which must not raise here.
    return password.encode("utf-8", "surrogatepass")
