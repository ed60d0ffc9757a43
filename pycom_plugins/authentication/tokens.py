"""Tokens: what a user is known by for a while."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from pycom_plugins.authentication.expiring import Expiring

#: Tokens that are good at one time; more push out the oldest.
LIMIT: Final = 100_000


class Owner(NamedTuple):
    """Whose a token is."""

    name: str
    password: str  #: the hash when the token was issued: another password, another owner


class Tokens:
    """Random tokens that are good for `lifetime` s; kept in memory, and only as hashes."""

    def __init__(self, lifetime: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._owners: Expiring[Owner] = Expiring(lifetime, LIMIT, clock)

    def issue(self, owner: Owner) -> str:
        """A new token."""
        token = secrets.token_urlsafe(32)
        self._owners.put(_digest(token), owner)
        return token

    def owner(self, token: str) -> Owner | None:
        """Whose it is; None for one that was never issued, or ended."""
        return self._owners.get(_digest(token))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
