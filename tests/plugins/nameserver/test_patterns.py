"""Untrusted regular expressions."""

from __future__ import annotations

from typing import Any

import pytest

from pycom_core import BadRequest
from pycom_plugins.nameserver.patterns import matcher


@pytest.mark.parametrize("text", ["", "anything", "/com/foo", "\x00\n"])
def test_none_matches_all(text: str) -> None:
    assert matcher("service", None)(text)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("", "anything", True),
        ("com.foo", "com.foo", True),
        ("com.foo", "com.foo.bar", True),
        ("com.foo$", "com.foo.bar", False),
        ("com.foo", "comxfoo", True),
        (r"com\.foo", "comxfoo", False),
        ("foo", "com.foo", False),
        (".*foo", "com.foo", True),
        ("a|b", "b", True),
        ("[Cc]om", "Com", True),
        ("com", "COM", False),
        ("ü+", "üü", True),
    ],
)
def test_matches_from_the_beginning(pattern: str, text: str, matches: bool) -> None:
    assert bool(matcher("interface", pattern)(text)) is matches


@pytest.mark.parametrize("pattern", [1, True, b"text", [], {}])
def test_what_is_no_text(pattern: Any) -> None:
    with pytest.raises(BadRequest, match="'service', expected str, got"):
        matcher("service", pattern)


def test_longest() -> None:
    assert matcher("service", "a" * 1000)("a" * 1000)
    with pytest.raises(BadRequest, match="'service' is longer than 1000 characters"):
        matcher("service", "a" * 1001)


@pytest.mark.parametrize(
    "pattern",
    ["(", "[", "*", "(?P<", "\\", "\ud800", "(?:\\pL{50}){8}"],
)
def test_what_is_no_expression(pattern: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        BadRequest, match="Invalid regular expression in argument 'service': (?!b')"
    ):
        matcher("service", pattern)
    assert tuple(capfd.readouterr()) == ("", ""), "the library would like to say it too"


def test_it_says_what_is_wrong() -> None:
    with pytest.raises(BadRequest) as caught:
        matcher("service", "(ü")
    assert str(caught.value).endswith("in argument 'service': missing ): (ü")


@pytest.mark.parametrize("pattern", ["(a)\\1", "(?=a)a", "(?<!a)b"])
def test_what_could_take_for_ever_is_not_known(pattern: str) -> None:
    with pytest.raises(BadRequest):
        matcher("service", pattern)
