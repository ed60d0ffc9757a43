"""Files of keys: what they hold, and that they betray nothing when they are broken."""

from __future__ import annotations

import errno
import os
import stat
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycom_core import ConfigurationError
from pycom_core.keys import as_text
from pycom_plugins.security import keyfiles
from pycom_plugins.security.keys import KeyPair

#: The example in zmq_curve(7), which is for tests alone.
PUBLIC = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
SECRET = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"

Write = Callable[[bytes], str]


@pytest.fixture
def write(home: Path) -> Write:
    """Writes a file of that content and returns its path."""

    def write(content: bytes) -> str:
        path = home / "key"
        path.write_bytes(content)
        path.chmod(0o600)
        return str(path)

    return write


@pytest.mark.parametrize(
    "content",
    [
        f"{SECRET}",
        f"{SECRET}\n",
        f"{SECRET}\r\n",
        f"#A key. #\n#\n\n  {SECRET}  \n# Größe … \x85\n",
    ],
)
def test_one_key(content: str, write: Write) -> None:
    assert keyfiles.read(write(content.encode())).public == PUBLIC


@given(st.binary(min_size=32, max_size=32))
def test_no_key_begins_like_a_comment(raw: bytes) -> None:
    assert not as_text(raw).startswith("#")
    assert not as_text(b"\xff" * 4 + raw).startswith("#")


def test_keys_of_a_nameserver(home: Path) -> None:
    pairs = [KeyPair.new(), KeyPair.new()]
    path = f"{home}/key"
    keyfiles.create(path, pairs, "Two keys.")
    assert keyfiles.read_all(path) == pairs
    with pytest.raises(ConfigurationError, match=f"{path} holds 2 keys; a program has one"):
        keyfiles.read(path)
    keyfiles.replace(path, pairs[1:], "One key.")
    assert keyfiles.read(path) == pairs[1]
    assert Path(path).read_text().startswith("# One key.\n")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_key_is_never_replaced_by_a_new_one(write: Write) -> None:
    path = write(SECRET.encode())
    with pytest.raises(ConfigurationError, match="is there already; it is not replaced"):
        keyfiles.create(path, [KeyPair.new()], "")
    assert keyfiles.read(path).public == PUBLIC


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# only a comment"])
def test_file_without_a_key(content: bytes, write: Write) -> None:
    path = write(content)
    with pytest.raises(ConfigurationError, match=f"{path} holds no key; pycom key new makes"):
        keyfiles.read(path)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (f"{SECRET}x", 1),
        (f"# one\n\n{SECRET[:-1]}", 3),
        (f"{SECRET} # trailing", 1),
        (f"{SECRET}\n{SECRET[:-1]} ", 2),
        (f"{SECRET[:-1]}\x00", 1),
        (f"{SECRET[:-1]}\xff", 1),
        (f"\ufeff{SECRET}", 1),
        (f"%%%%%{SECRET[5:]}", 1),
    ],
)
def test_broken_file_betrays_nothing(content: str, line: int, write: Write) -> None:
    path = write(content.encode())
    with pytest.raises(ConfigurationError) as caught:
        keyfiles.read(path)
    assert str(caught.value) == (
        f"{path}, line {line}, is no key: a secret key is 40 characters of Z85. Comments begin "
        "with #"
    )
    assert SECRET[5:-1] not in everything_about(caught.value)


def test_open_file_betrays_nothing(write: Write) -> None:
    path = write(SECRET.encode())
    os.chmod(path, 0o644)
    with pytest.raises(ConfigurationError, match=f"chmod 600 {path}") as caught:
        keyfiles.read(path)
    assert SECRET not in everything_about(caught.value)


def test_full_disk_betrays_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    pair = KeyPair.new()
    with pytest.raises(ConfigurationError, match="No space left") as caught:
        keyfiles.create(f"{home}/key", [pair], "")
    assert pair.public in everything_about(caught.value)
    assert as_text(pair.secret.reveal()) not in everything_about(caught.value)


def everything_about(error: BaseException | None) -> str:
    """Return all that a report with the variables of all frames would show of an error."""
    shown = []
    while error is not None:
        shown += [repr(error), repr(error.args)]
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename != __file__:  # the test itself knows the secret
                shown += map(repr, frame.f_locals.values())
        error = error.__cause__ or error.__context__
    assert len(shown) > 3
    return "\n".join(shown)
