"""Files of keys: each line is a secret key in Z85, or a comment that begins with `#`.

No key begins with it: `#` is the digit 84, and four bytes hold less than 83 times 85⁴.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pycom_core import ConfigurationError
from pycom_core.keys import as_text
from pycom_plugins.security import files
from pycom_plugins.security.keys import KeyPair, Secret


def read(path: str) -> KeyPair:
    """Return the key in a file. Raises `ConfigurationError`."""
    found = read_all(path)
    if len(found) > 1:
        raise ConfigurationError(f"{path} holds {len(found)} keys; a program has one")
    return found[0]


def read_all(path: str) -> Sequence[KeyPair]:
    """Return the keys in a file, at least one. Raises `ConfigurationError`."""
    found = _secrets(files.read(path, files.PRIVATE))
    for line, secret in found:
        if secret is None:
            raise ConfigurationError(
                f"{path}, line {line}, is no key: a secret key is 40 characters of Z85. Comments "
                "begin with #"
            )
    if not found:
        raise ConfigurationError(f"{path} holds no key; pycom key new makes a file with one")
    return [KeyPair.of(secret) for _, secret in found if secret is not None]


def _secrets(content: bytes) -> list[tuple[int, Secret | None]]:
    """Return the secrets in a file, with the numbers of their lines; None for what is none."""
    lines = ((number, line.strip()) for number, line in enumerate(content.split(b"\n"), 1))
    return [
        # Latin 1 knows every byte: the error of another encoding would hold the content.
        (number, Secret.parse(line.decode("latin-1")))
        for number, line in lines
        if line and not line.startswith(b"#")
    ]


def create(path: str, pairs: Sequence[KeyPair], about: str) -> None:
    """Write a new file of keys, below a comment. Raises `ConfigurationError` if it exists."""
    files.create(path, _content(pairs, about), files.PRIVATE)


def replace(path: str, pairs: Sequence[KeyPair], about: str) -> None:
    """Write a file of keys in place of an older one. Raises `ConfigurationError`."""
    files.replace(path, _content(pairs, about), files.PRIVATE)


def _content(pairs: Sequence[KeyPair], about: str) -> Callable[[], bytes]:
    def content() -> bytes:
        lines = [f"# {about}", *(as_text(pair.secret.reveal()) for pair in pairs), ""]
        return "\n".join(lines).encode()

    return content
