"""Making keys and tokens."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

ALGORITHM: Final = "Ed25519"


def rotate(private: str | Path, public: str | Path, keep: int = 2) -> str:
    """Add a new key pair to the files, newest first; drop all but `keep`. Returns its id."""
    known = _read(private).keys if Path(private).exists() else []
    parameters: Any = {"kid": secrets.token_urlsafe(8), "alg": ALGORITHM, "use": "sig"}
    keys = KeySet([OKPKey.generate_key("Ed25519", parameters), *known[: keep - 1]])
    # The public half first, since tokens of the new key may be issued right after.
    _write(public, keys.as_dict(private=False), 0o644)
    _write(private, keys.as_dict(private=True), 0o600)
    return str(keys.keys[0].kid)


def issue(
    private: str | Path,
    name: str,
    roles: Iterable[str] = (),
    lifetime: float = 3600.0,
    issuer: str | None = None,
    audience: str | None = None,
) -> str:
    """Return a token that names `name` for `lifetime` s, signed with the newest key."""
    key, now = _read(private).keys[0], int(time.time())
    claims: dict[str, Any] = {"sub": name, "roles": [*roles], "iat": now, "exp": now + lifetime}
    claims |= {"iss": issuer} if issuer is not None else {}
    claims |= {"aud": audience} if audience is not None else {}
    header = {"typ": "JWT", "alg": ALGORITHM, "kid": key.kid}
    return jwt.encode(header, claims, key, algorithms=[ALGORITHM])


def _read(path: str | Path) -> KeySet:
    return KeySet.import_key_set(json.loads(Path(path).read_bytes()))


def _write(path: str | Path, content: Any, mode: int) -> None:
    """Replace a file at once, so that nobody reads half of it."""
    path = Path(path)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, mode)
        json.dump(content, file, indent=2)
    Path(name).replace(path)
