"""Checking tokens with the public keys in a file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from pycom_core import AccessDenied, ConfigurationError, Identity, logger
from pycom_jwt.issuing import ALGORITHM

#: s for which the file is not read again.
FRESH = 1.0


class Keys:
    """The keys in a file, read again when it has changed."""

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the file. Raises `ConfigurationError`; `clock` gives seconds."""
        self._path, self._clock = Path(path), clock
        self._looked = clock()
        self._stamp = (0, 0, 0)
        self._keys: KeySet | None = None
        try:
            self._read()
        except Exception as error:
            raise ConfigurationError(f"jwt.keys: cannot read {path}: {error}") from error

    def current(self) -> KeySet:
        """The keys. Raises `AccessDenied` while they cannot be read."""
        now = self._clock()
        if now - self._looked > FRESH:
            self._looked = now
            try:
                self._read()
            except Exception as error:  # of any kind: nobody is let in then
                logger("jwt").error("All tokens are refused: cannot read %s: %s", self._path, error)
                self._stamp, self._keys = (0, 0, 0), None
        if self._keys is None:
            raise AccessDenied("Tokens cannot be checked at present")
        return self._keys

    def _read(self) -> None:
        found = self._path.stat()
        stamp = found.st_ino, found.st_mtime_ns, found.st_size
        if stamp != self._stamp:
            self._keys = KeySet.import_key_set(json.loads(self._path.read_bytes()))
            self._stamp = stamp


class Checker:
    """A check of tokens, which gives the owner of each."""

    def __init__(
        self,
        keys: Keys,
        issuer: str | None = None,
        audience: str | None = None,
        leeway: int = 0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        asked: dict[str, str | None] = {"iss": issuer, "aud": audience}
        options = {
            name: {"essential": True, "value": value}
            for name, value in asked.items()
            if value is not None
        }
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(now()),
            leeway=leeway,
            sub={"essential": True},
            exp={"essential": True},
            **options,  # type: ignore[arg-type]
        )

    def identity(self, token: str) -> Identity:
        """Return the owner of a token. Raises `AccessDenied`."""
        keys = self._keys.current()
        try:
            found = jwt.decode(token, keys, algorithms=[ALGORITHM])
            if "kid" not in found.header:
                raise AccessDenied("The token does not name its key")
            self._claims.validate(found.claims)
        except (JoseError, ValueError) as error:
            raise AccessDenied(f"The token is not valid: {error}") from error
        name, roles = found.claims["sub"], found.claims.get("roles", [])
        if not name or not isinstance(roles, list) or not all(type(role) is str for role in roles):
            raise AccessDenied("The token is not valid: it names no user, or no list of roles")
        return Identity(name, roles)
