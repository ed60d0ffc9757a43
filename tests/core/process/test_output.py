"""Output of commands: whole names in terminals of any width, valid JSON, files."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from pycom_core import ConfigurationError
from pycom_core.errors import PycomError
from pycom_core.process._output import Destination, print_json, print_table, printable, write_file

Show = Callable[..., list[str]]

HEADER = ["service", "address", "interfaces"]
SERVICES = [
    [
        "/auto/3a6d9a0a85ccd4de682bd020aee2a9fd",
        "tcp://127.0.0.1:20140",
        "com.example.shop.cart, com.example.shop.catalogue",
    ],
    ["/com/example/shop", "tcp://shop.example.com:2013", "com.example.shop.cart"],
]


class Terminal(io.StringIO):
    """A standard output that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    """Print a table in a terminal of some width, and return the lines without their styles."""

    def show(width: int, *table: Any, **options: Any) -> list[str]:
        terminal = Terminal()
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(sys, "stdout", terminal)
        print_table(*table, **options)
        return re.sub(r"\x1b\[[\d;]*m", "", terminal.getvalue()).splitlines()

    return show


@pytest.mark.parametrize("width", [50, 60, 80, 100, 200])
def test_names_are_whole_in_a_terminal_of_any_width(width: int, show: Show) -> None:
    lines = show(width, HEADER, SERVICES)
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    words = {word.removesuffix(",") for word in " ".join(lines).split()}
    assert words >= {name for row in SERVICES for name in ", ".join(row).split(", ")}


def test_wide_terminal_has_a_line_for_a_row(show: Show) -> None:
    assert [line.split() for line in show(200, HEADER, SERVICES)] == [
        HEADER,
        *(" ".join(row).split() for row in SERVICES),
    ]


def test_narrow_terminal_has_a_block_for_a_row(show: Show) -> None:
    assert [line.rstrip() for line in show(50, HEADER, SERVICES)] == [
        "service     /auto/3a6d9a0a85ccd4de682bd020aee2a9fd",
        "address     tcp://127.0.0.1:20140",
        "interfaces  com.example.shop.cart,",
        "            com.example.shop.catalogue",
        "",
        "service     /com/example/shop",
        "address     tcp://shop.example.com:2013",
        "interfaces  com.example.shop.cart",
    ]


def test_what_is_wider_than_the_terminal_is_folded(show: Show) -> None:
    lines = show(30, ["name", "about"], [["x" * 70, ""]])
    assert max(map(len, lines)) <= 30
    assert "".join(lines).count("x") == 70
    assert not any("about" in line for line in lines), "what is empty takes no line"


def test_narrow_terminal_goes_without_the_least(show: Show) -> None:
    rows = [["a" * 20, "b" * 20, "c" * 20]]
    assert "c" * 20 in show(64, ["one", "two", "three"], rows, least=["three"])[1]
    lines = show(63, ["one", "two", "three"], rows, least=["three"])
    assert "".join(lines[1:-1]).split() == ["a" * 20, "b" * 20]
    assert lines[-1] == "There is no room for: three."
    assert "c" * 20 in "".join(show(40, ["one", "two", "three"], rows, least=["three"]))


def test_sentences_share_the_room(show: Show) -> None:
    words = " ".join(["word"] * 20)
    header, first, *_ = show(61, ["one", "two"], [[words, words]])
    assert first.split() == ["word"] * 12
    assert header.index("two") == 31
    assert header.split() == ["one", "two"]
    assert len(show(61, ["one", "two"], [["short", words]])) == 3


def test_table_without_rows_has_its_header(show: Show) -> None:
    assert show(80, HEADER, [])[0].split() == HEADER


def test_rows_may_be_shorter_than_the_header(show: Show) -> None:
    assert show(80, HEADER, [["one"], ["two", "three"]])[1].split() == ["one"]


def test_programs_read_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(HEADER, [["a b", "c\td", "e\nf"], ["é", "", "\x1b[2J"]], least=HEADER)
    assert capsys.readouterr().out == "a b\tc\\td\te\\nf\né\t\t\\x1b[2J\n"


def test_nothing_commands_the_terminal(show: Show) -> None:
    assert "\\x1b[2J\\x07" in "".join(show(80, ["name"], [["\x1b[2J\a"]]))
    assert printable("a\n\tb é→\x1b\r\x7f\x9b\ud800") == "a\n\tb é→\\x1b\\r\\x7f\\x9b\\ud800"


@pytest.mark.parametrize(
    ("encoding", "value", "shown"),
    [
        ("utf-8", "é→", '"é→"'),
        ("latin-1", "é", '"é"'),
        ("latin-1", "é→", r'"\u00e9\u2192"'),
        ("ascii", "é", r'"\u00e9"'),
        ("utf-8", "\ud800é", r'"\ud800\u00e9"'),
    ],
)
def test_json_is_json_whatever_is_in_it(
    encoding: str, value: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    print_json(value)
    stream.flush()
    assert stream.buffer.getvalue().decode(encoding) == f"{shown}\n"  # type: ignore[attr-defined]
    assert json.loads(shown) == value


def test_json_goes_to_standard_error_too(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([1], err=True)
    assert capsys.readouterr() == ("", "[\n  1\n]\n")


@pytest.mark.parametrize("value", [object(), {"a": [b""]}])
def test_what_is_no_json_is_told(value: Any) -> None:
    with pytest.raises(PycomError, match="^.* cannot be printed as JSON: Object of type"):
        print_json(value)


# Files.


def destination(name: str | Path) -> Any:
    """The result of a command that takes the name of a file to write."""

    @click.command()
    @click.option("--save", type=Destination())
    def command(save: str) -> None:
        click.echo("running")
        write_file(save, b"content")

    return CliRunner().invoke(command, ["--save", str(name)])


def test_file_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("what was there before")
    for name in ("file", "new"):
        assert destination(tmp_path / name).exit_code == 0
        assert (tmp_path / name).read_bytes() == b"content"


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1"])
def test_standard_output_is_a_file(name: str) -> None:
    assert destination(name).stdout_bytes == b"running\ncontent"
    assert not Path("-").exists()


def test_file_that_cannot_be_written_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = tmp_path / "nowhere" / "file"
    for name, reason in (
        (nowhere, "There is no directory"),
        (tmp_path, "is a directory"),
        ("", "A file needs a name"),
    ):
        refused = destination(name)
        assert refused.exit_code == 2
        assert "running" not in refused.output
        assert "--save" in refused.output
        assert reason in " ".join(refused.output.split())
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the superuser may write anywhere
    refused = destination(tmp_path / "file")
    assert refused.exit_code == 2
    assert "is not writable" in " ".join(refused.output.split())
    assert list(tmp_path.iterdir()) == []


def test_file_that_cannot_be_written_in_the_end() -> None:
    with pytest.raises(ConfigurationError, match="Cannot write /dev/full: No space left"):
        write_file("/dev/full", b"content")
