"""Tokens: good ones are accepted, and no others."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey
from pycom_jwt import issue, rotate
from pycom_jwt.checking import FRESH, Checker, Keys

from pycom_core import AccessDenied, ConfigurationError, Identity, Runtime, Settings
from pycom_core.cli import main
from pycom_core.testing import AuthenticationContract, Clock, SampleCredentials

AUTH = "org.pycom.auth"


@pytest.fixture
def private(tmp_path: Path) -> Path:
    rotate(tmp_path / "private.json", tmp_path / "public.json")
    return tmp_path / "private.json"


@pytest.fixture
def public(private: Path) -> Path:
    return private.with_name("public.json")


class TestContract(AuthenticationContract):
    @pytest.fixture
    def credentials(self, private: Path, public: Path) -> SampleCredentials:
        strangers = private.with_name("strangers.json")
        rotate(strangers, strangers.with_suffix(".public"))
        good = issue(private, "alice", ["admin", "clerk"])
        wrong = [
            issue(strangers, "alice"),
            issue(private, "alice", lifetime=-1),
            good[:-4] + "AAAA",
            *("a.b.c", "..", "é.ü.☃"),
        ]
        return SampleCredentials(
            plugin="jwt",
            good={AUTH: good},
            identity=Identity("alice", ["admin", "clerk"]),
            bad=[{AUTH: token} for token in wrong],
            settings={"jwt": {"keys": str(public)}},
            breakdown=lambda: _break(public),
        )


def _break(path: Path) -> None:
    path.unlink()
    time.sleep(FRESH * 1.1)  # the file is not read again so soon


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def signed(private: Path, claims: dict[str, Any], **header: Any) -> str:
    """A token of the newest key, with claims that are given."""
    key = OKPKey.import_key(json.loads(private.read_text())["keys"][0])
    header = {"alg": "Ed25519", "kid": key.kid, **header}
    return jwt.encode(
        {name: value for name, value in header.items() if value is not None},
        claims,
        key,
        algorithms=["Ed25519"],
    )


FAR = 4_000_000_000  # s since 1970
SIGNED: dict[str, Callable[[Path], str]] = {
    "no end": lambda private: signed(private, {"sub": "eve"}),
    "no name": lambda private: signed(private, {"exp": FAR}),
    "empty name": lambda private: signed(private, {"sub": "", "exp": FAR}),
    "name of another type": lambda private: signed(private, {"sub": 5, "exp": FAR}),
    "end of another type": lambda private: signed(private, {"sub": "eve", "exp": "never"}),
    "not yet": lambda private: signed(private, {"sub": "eve", "exp": FAR, "nbf": FAR}),
    "roles that are none": lambda private: signed(
        private, {"sub": "eve", "exp": FAR, "roles": "admin"}
    ),
    "role that is none": lambda private: signed(private, {"sub": "e", "exp": FAR, "roles": [1]}),
    "unnamed key": lambda private: signed(private, {"sub": "eve", "exp": FAR}, kid=None),
    "unknown key": lambda private: signed(private, {"sub": "eve", "exp": FAR}, kid="other"),
    "unsigned": lambda _: f"{part({'alg': 'none'})}.{part({'sub': 'eve', 'exp': FAR})}.",
    "public key as a secret": lambda private: jwt.encode(
        {"alg": "HS256", "kid": json.loads(private.read_text())["keys"][0]["kid"]},
        {"sub": "eve", "exp": FAR},
        OctKey.import_key(json.loads(private.read_text())["keys"][0]["x"]),
    ),
}


@pytest.mark.parametrize("case", SIGNED)
def test_refused(case: str, private: Path, public: Path) -> None:
    checker = Checker(Keys(str(public)))
    assert checker.identity(signed(private, {"sub": "eve", "exp": FAR})) == Identity("eve")
    with pytest.raises(AccessDenied):
        checker.identity(SIGNED[case](private))


def test_end(private: Path, public: Path) -> None:
    clock = Clock(1000.0)
    checker = Checker(Keys(str(public)), leeway=10, now=clock.now)
    token = signed(private, {"sub": "eve", "exp": 1060, "iat": 1010})
    for _ in range(2):
        assert checker.identity(token).name == "eve"
        clock.advance(69)
    with pytest.raises(AccessDenied, match="expired"):
        checker.identity(token)


def test_issuer_and_audience(private: Path, public: Path) -> None:
    checker = Checker(Keys(str(public)), issuer="com.foo", audience="shop")
    token = issue(private, "eve", issuer="com.foo", audience="shop")
    assert checker.identity(token) == Identity("eve")
    for issuer, audience in (
        ("com.foo", "bank"),
        ("com.bar", "shop"),
        ("com.foo", None),
        (None, "shop"),
    ):
        with pytest.raises(AccessDenied):
            checker.identity(issue(private, "eve", issuer=issuer, audience=audience))


def test_rotation(private: Path, public: Path) -> None:
    clock = Clock()
    checker = Checker(Keys(str(public), clock.now))
    tokens = [issue(private, "first")]
    for name in ("second", "third"):
        rotate(private, public)
        tokens.append(issue(private, name))
        clock.advance(FRESH * 1.1)
        assert [checker.identity(token).name for token in tokens[-2:]] == [
            "first" if name == "second" else "second",
            name,
        ]
    with pytest.raises(AccessDenied):
        checker.identity(tokens[0])
    assert len(json.loads(public.read_text())["keys"]) == 2
    assert "d" not in json.loads(public.read_text())["keys"][0]
    assert private.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"keys": []}', '{"keys": [{"kty": "?"}]}'])
def test_keys_that_are_none(content: str, private: Path, public: Path) -> None:
    clock = Clock()
    checker, token = Checker(Keys(str(public), clock.now)), issue(private, "eve")
    sound = public.read_text()
    public.write_text(content)
    clock.advance(FRESH * 1.1)
    for _ in range(3):
        with pytest.raises(AccessDenied):
            checker.identity(token)
    public.write_text(f"{sound}\n")
    clock.advance(FRESH * 1.1)
    assert checker.identity(token) == Identity("eve")


def test_missing_keys_stop_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"jwt\.keys: cannot read .*nowhere\.json"):
        Runtime(Settings(tables={"jwt": {"keys": str(tmp_path / "nowhere.json")}}))


def test_command_line(tmp_path: Path) -> None:
    private, public = str(tmp_path / "private.json"), str(tmp_path / "public.json")
    run = CliRunner().invoke
    made = run(main, ["jwt", "rotate", private, public])
    assert made.exit_code == 0
    assert json.loads(Path(public).read_text())["keys"][0]["kid"] == made.output.strip()
    issued = run(main, ["jwt", "issue", private, "eve", "--role", "clerk", "--audience", "shop"])
    assert issued.exit_code == 0
    checker = Checker(Keys(public), audience="shop")
    assert checker.identity(issued.output.strip()) == Identity("eve", ["clerk"])
