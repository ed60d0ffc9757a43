"""The file `members.json`, and the questions that it answers."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from pycom_core import ConfigurationError
from pycom_plugins.security import members
from pycom_plugins.security.keys import KeyPair, Secret
from pycom_plugins.security.members import Grant, Member, MemberKey, Members, Owner, refusal

OLD, NEW, OTHER = (KeyPair.of(Secret(bytes([n] * 32))).public for n in range(3))
THEN = datetime(2026, 11, 26, 16, 30, tzinfo=timezone.utc)
CAMERA = Member(
    keys=(MemberKey(OLD, THEN), MemberKey(NEW)),
    roles=("reader", "writer"),
    register=(
        Grant("/com/foo/*", "com.foo.*", "tcp://10.0.0.*:*"),
        Grant("/org/auth", "org.pycom.authenticator", "tcp://10.0.0.9:2011"),
    ),
)
GUEST = Member((MemberKey(OTHER),))
FOUND = Members({"camera-1": CAMERA, "guest": GUEST})
CONTENT = {
    "members": {
        "camera-1": {
            "keys": [{"key": OLD, "revoked": "2026-11-26T16:30:00Z"}, {"key": NEW}],
            "roles": ["reader", "writer"],
            "register": [
                {"path": "/com/foo/*", "interface": "com.foo.*", "address": "tcp://10.0.0.*:*"},
                {
                    "path": "/org/auth",
                    "interface": "org.pycom.authenticator",
                    "address": "tcp://10.0.0.9:2011",
                },
            ],
        },
        "guest": {"keys": [{"key": OTHER}]},
    }
}

Read = Callable[[str], Members]


@pytest.fixture
def path(home: Path) -> Path:
    return home / "members.json"


@pytest.fixture
def read(path: Path) -> Read:
    """Reads a file of that content."""

    def read(content: str) -> Members:
        path.write_text(content)
        path.chmod(0o600)
        return members.read(str(path))

    return read


def test_read(read: Read) -> None:
    assert read(json.dumps(CONTENT)) == FOUND


def test_what_is_written_is_read(path: Path) -> None:
    members.create(str(path), Members())
    assert members.read(str(path)) == Members()
    with pytest.raises(ConfigurationError, match="is there already"):
        members.create(str(path), FOUND)
    members.replace(str(path), FOUND)
    assert members.read(str(path)) == FOUND
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_owner_of_a_key() -> None:
    assert FOUND.owner(NEW) == Owner("camera-1", CAMERA, None)
    assert FOUND.owner(OLD) == Owner("camera-1", CAMERA, THEN)
    assert FOUND.owner(OTHER) == Owner("guest", GUEST, None)
    assert FOUND.owner(KeyPair.new().public) is None
    assert FOUND.owner("") is None


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        ((), [], "Expected `object`, got `array`"),
        (("membres",), {}, "unknown key 'membres'; known are members"),
        (("members",), [], "members: Expected `object`, got `array`"),
        (("members", "a b"), {"keys": []}, "members: 'a b' is no name; write up to 64 letters"),
        (("members", "-x"), {"keys": []}, "members: '-x' is no name"),
        (("members", "guest", "keys"), None, "members.guest: keys: Expected `array`, got `null`"),
        (("members", "guest", "role"), [], "members.guest: unknown key 'role'; known are keys"),
        (("members", "guest", "roles"), "a", "members.guest: roles: Expected `array`, got `str`"),
        (("members", "guest", "roles"), ["a b"], "members.guest: roles: 'a b' is no name"),
        (
            ("members", "guest", "keys", 0),
            {"key": OTHER, "revokd": None},
            "members.guest.keys[0]: unknown key 'revokd'; known are key, revoked",
        ),
        (
            ("members", "guest", "keys", 0, "key"),
            "x",
            "members.guest: keys[0]: key: a public key is 40 characters of Z85, not 1",
        ),
        (
            ("members", "guest", "keys", 0, "revoked"),
            "yesterday",
            "members.guest: keys[0].revoked: Invalid RFC3339 encoded datetime",
        ),
        (("members", "guest", "keys", 0, "key"), NEW, "guest has a key of camera-1"),
        (
            ("members", "camera-1", "register", 1, "adress"),
            "*",
            "members.camera-1.register[1]: unknown key 'adress'; known are path, interface",
        ),
        (
            ("members", "camera-1", "register", 0, "interface"),
            "org.pycom.*",
            "members.camera-1: register[0]: interface: 'org.pycom.*' matches nothing",
        ),
        (
            ("members", "camera-1", "register", 0, "address"),
            "tcp://10.0.0.1",
            "members.camera-1: register[0]: address: 'tcp://10.0.0.1' is no pattern of addresses",
        ),
    ],
)
def test_fault_says_file_key_and_what_is_expected(
    place: tuple[Any, ...], value: Any, reason: str, read: Read, path: Path
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(json.dumps(changed(CONTENT, place, value)))
    assert str(caught.value).startswith(f"{path}: {reason}")


def changed(content: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy of JSON with another value at a place."""
    if not place:
        return value
    first, *rest = place
    if isinstance(content, Mapping):
        return {**content, first: changed(content.get(first), tuple(rest), value)}
    copied = list(content)
    copied[first] = changed(copied[first], tuple(rest), value)
    return copied


@pytest.mark.parametrize("content", ["", "{", '{"members": ', "[" * 100_000, "\xff"])
def test_what_is_no_json(content: str, read: Read, path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"{path} is not valid JSON: "):
        read(content)


def test_file_that_others_can_write_to(path: Path) -> None:
    path.write_text("{}")
    path.chmod(0o620)
    with pytest.raises(ConfigurationError, match=f"Others can write to {path}"):
        members.read(str(path))


# What a member may register.


@pytest.mark.parametrize(
    ("path", "interfaces", "address"),
    [
        ("/com/foo/one", ["com.foo.bar"], "tcp://10.0.0.1:2013"),
        ("/com/foo/one", ["com.foo.bar", "com.foo.baz"], "tcp://10.0.0.1:2013"),
        ("/org/auth", ["org.pycom.authenticator"], "tcp://10.0.0.9:2011"),
    ],
)
def test_record_that_is_allowed(path: str, interfaces: list[str], address: str) -> None:
    assert refusal(CAMERA, path, interfaces, address) is None


@pytest.mark.parametrize(
    ("path", "interfaces", "address", "refused"),
    [
        ("/com/bar", ["com.foo.bar"], "tcp://10.0.0.1:2013", "com.foo.bar"),
        ("/com/foo/one", ["com.foo.bar"], "tcp://10.0.1.1:2013", "com.foo.bar"),
        ("/com/foo/one", ["com.foo.bar", "com.bar"], "tcp://10.0.0.1:2013", "com.bar"),
        # Each part is allowed by some grant, but all of them by none.
        (
            "/com/foo/one",
            ["com.foo.bar", "org.pycom.authenticator"],
            "tcp://10.0.0.9:2011",
            "org.pycom.authenticator",
        ),
        ("/org/auth", ["com.foo.bar"], "tcp://10.0.0.9:2011", "com.foo.bar"),
    ],
)
def test_record_that_is_refused(
    path: str, interfaces: list[str], address: str, refused: str
) -> None:
    assert refusal(CAMERA, path, interfaces, address) == (
        f"no grant is for {refused!r} of {path!r} at {address!r}"
    )


def test_record_without_interfaces() -> None:
    assert refusal(CAMERA, "/com/foo/one", [], "tcp://10.0.0.1:2013") == (
        "it has no interface, and every grant is for an interface"
    )


def test_member_without_a_grant() -> None:
    assert refusal(GUEST, "/com/foo/one", ["com.foo.bar"], "tcp://10.0.0.1:2013")


def test_refusal_is_short_and_shows_no_control_characters() -> None:
    reason = refusal(GUEST, "/\x1b[2J" * 1000, ["com\n"], "tcp://\u202e:1")
    assert reason is not None
    assert reason.isprintable()
    assert len(reason) < 700
