"""Output of commands: JSON, tables, files. For programs if one reads it, else for people."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import click

from pycom_core.errors import ConfigurationError, PycomError

_GAP = 2
_STDOUT = ("-", "/dev/stdout", "/dev/fd/1")
#: Characters that control a terminal or cannot be encoded.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(text: str) -> str:
    """Return an untrusted text with escapes in place of characters that control a terminal."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def print_json(value: Any, err: bool = False) -> None:
    """Print a JSON value, for programs and people; `err`: to standard error."""
    import json

    try:
        text = json.dumps(value, indent=2, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        # What services send is JSON, until a hook of the client changes it.
        raise PycomError(f"{value!r:.100} cannot be printed as JSON: {error}") from error
    try:
        text.encode((sys.stderr if err else sys.stdout).encoding)
    except UnicodeEncodeError:  # half of a surrogate pair, or more than the terminal knows
        text = json.dumps(value, indent=2)
    click.echo(text, err=err)


def print_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], least: Collection[str] = ()
) -> None:
    """Print rows: as a table for people, with tabs for programs.

    On a narrow terminal the columns `least` are left out. If it is still too narrow, the values of
    a row are printed one below the other. Nothing is cut off.
    """
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(map(_in_one_line, row)))
        return
    from rich.console import Console

    console = Console(highlight=False)
    columns = [_Column(*cells) for cells in zip_longest(header, *rows, fillvalue="")]
    important = [column for column in columns if column.title not in least]
    if widths := _widths(columns, console.width):
        _print_columns(console, columns, widths)
    elif widths := _widths(important, console.width):
        _print_columns(console, important, widths)
        click.echo(f"There is no room for: {', '.join(least)}.")
    else:
        _print_blocks(console, columns)


class _Column:
    """A column of a table, with its least width and its full width."""

    def __init__(self, title: str, *cells: str) -> None:
        from rich.cells import cell_len

        self.title = title
        self.cells = [printable(cell) for cell in cells]
        lines = [line for cell in (title, *self.cells) for line in cell.split("\n")]
        self.most = max(map(cell_len, lines))
        self.least = max(cell_len(word) for line in lines for word in line.split(" "))


def _widths(columns: Sequence[_Column], room: int) -> list[int] | None:
    """Return widths that cut no word; None if there is not enough room."""
    spare = room - sum(column.least for column in columns) - _GAP * (len(columns) - 1)
    if spare < 0:
        return None
    found = {}
    # Those that want less than their share leave the rest to the others.
    modest_first = sorted(columns, key=lambda column: column.most - column.least)
    for left, column in zip(range(len(columns), 0, -1), modest_first, strict=True):
        more = min(spare // left, column.most - column.least)
        found[column], spare = column.least + more, spare - more
    return [found[column] for column in columns]


def _print_columns(console: Any, columns: Sequence[_Column], widths: Sequence[int]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, _GAP, 0, 0))
    for column, width in zip(columns, widths, strict=True):
        table.add_column(column.title, width=width, overflow="fold")
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, row))
    console.print(table)


def _print_blocks(console: Any, columns: Sequence[_Column]) -> None:
    from rich.table import Table
    from rich.text import Text

    for number, row in enumerate(zip(*(column.cells for column in columns), strict=True)):
        if number:
            console.print()
        block = Table(box=None, show_header=False, pad_edge=False, padding=(0, _GAP, 0, 0))
        block.add_column(style="bold")
        block.add_column(overflow="fold")
        for column, cell in zip(columns, row, strict=True):
            if cell:
                block.add_row(column.title, Text(cell))
        console.print(block)


def _in_one_line(cell: str) -> str:
    return printable(cell).replace("\n", "\\n").replace("\t", "\\t")


def signature(name: str, method: Mapping[str, Any]) -> str:
    """Return the signature of a method, on one line."""
    arguments = [
        *method["required_arguments"],
        *(f"{argument}=…" for argument in method["optional_arguments"]),
    ]
    results = f" → {', '.join(method['results'])}" if method["results"] else ""
    return f"{name}({', '.join(arguments)}){results}"


class Destination(click.Path):
    """The type of an option for a file to write; - is standard output.

    What cannot be written is refused when the command line is read, and not after a call.
    """

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True, allow_dash=True)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Check the name of a file."""
        name = super().convert(value, param, ctx)
        if not name:
            self.fail("A file needs a name", param, ctx)
        if name in _STDOUT:
            return "-"
        folder = os.path.dirname(name) or os.curdir
        if not os.path.isdir(folder):
            self.fail(f"There is no directory {folder!r}", param, ctx)
        if not os.path.exists(name) and not os.access(folder, os.W_OK):
            self.fail(f"The directory {folder!r} is not writable", param, ctx)
        return name


def write_file(name: str, content: bytes) -> None:
    """Write a file, or standard output for -. Raises `ConfigurationError`."""
    if name == "-":
        click.echo(content, nl=False)
        return
    try:
        with open(name, "wb") as file:
            file.write(content)
    except OSError as error:
        raise ConfigurationError(f"Cannot write {name}: {error.strerror}") from error
