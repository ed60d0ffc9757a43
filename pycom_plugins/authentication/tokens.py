"""Tokens, which identify a user for a while."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from pycom_plugins.authentication.expiring import Expiring

#: Number of tokens that are valid at one time; more push out the oldest.
LIMIT: Final = 100_000


class Owner(NamedTuple):
    """The owner of a token."""

    name: str
    password: str  #: the hash at the issue of the token: a new password ends the token


class Tokens:
    """Random tokens that are valid for `lifetime` s; kept in memory, and only as hashes."""

    def __init__(self, lifetime: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._owners: Expiring[Owner] = Expiring(lifetime, LIMIT, clock)

    def issue(self, owner: Owner) -> str:
        """Return a new token."""
        token = secrets.token_urlsafe(32)
        self._owners.put(_digest(token), owner)
        return token

    def owner(self, token: str) -> Owner | None:
        """Return the owner of a token; None if it was never issued, or has ended."""
        return self._owners.get(_digest(token))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
