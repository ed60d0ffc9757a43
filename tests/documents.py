"""Reading the pages of the documentation: their headings, and the blocks of code in them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.rst"))]

_RST_BLOCK = re.compile(r"^( *)\.\. code-block:: (\w+)\n((?: +:.*\n)*)\n((?:\1   .*\n|\n)+)", re.M)
_MARKDOWN_BLOCK = re.compile(r"^```(\w+) ?(.*)\n((?:.*\n)*?)```$", re.M)
_HEADING = re.compile(r"^(\S.*)\n(?:=+|-+|~+)$", re.M)


@attrs.frozen
class Block:
    """A block of code. Its caption, or what follows its language in Markdown, names a file."""

    language: str
    name: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """The blocks of code of a page, in order."""
    return list(_blocks(page.read_text(), page.suffix))


def _blocks(text: str, suffix: str) -> Iterator[Block]:
    for match in (_MARKDOWN_BLOCK if suffix == ".md" else _RST_BLOCK).finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if suffix == ".md":
            language, name, code = match.groups()
        else:
            _indent, language, options, code = match.groups()
            caption = re.search(r":caption: (.*)", options)
            name, code = caption[1] if caption else "", textwrap.dedent(code)
        yield Block(language, name, code.strip("\n") + "\n", line)


def sections(page: Path) -> dict[str, str]:
    """The text below each heading of a page, without that of the headings below it."""
    parts = _HEADING.split(page.read_text())
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def python_in(section: str) -> list[str]:
    """The Python blocks in a piece of a page."""
    return [block.text for block in _blocks(section, ".rst") if block.language == "python"]
