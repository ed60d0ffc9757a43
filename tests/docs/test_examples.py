"""Every example of the documentation works: blocks of code are run as a reader would run them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from documents import PAGES, README, Block, blocks
from story import Story

from pycom_core.settings import tomllib

#: Languages of blocks that are only shown: text, and commands that install or need a terminal.
SHOWN = {"text", "sh"}
READ: dict[str, Callable[[str], Any]] = {
    "python": lambda code: compile(code, "block", "exec", dont_inherit=True),
    "json": json.loads,
    "toml": tomllib.loads,
    "console": lambda text: None,  # is run
}


def pytest_id(value: Path | Block) -> str:
    return value.stem if isinstance(value, Path) else f"line {value.line}"


@pytest.mark.parametrize(
    ("page", "block"), [(page, block) for page in PAGES for block in blocks(page)], ids=pytest_id
)
def test_block_is_well_formed(page: Path, block: Block) -> None:
    if block.language not in SHOWN:
        READ[block.language](block.text)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(block.language == "console" for block in blocks(page))],
    ids=pytest_id,
)
def test_examples_of_page(page: Path, tmp_path: Path) -> None:
    with Story(tmp_path) as story:
        for block in blocks(page):
            story.tell(block)
        story.end()


@pytest.mark.parametrize("page", PAGES, ids=pytest_id)
def test_named_files_are_used(page: Path) -> None:
    # A file that no command of the page needs would not be tested.
    told = "".join(block.text for block in blocks(page))
    files = {Path(block.name).stem: block.text for block in blocks(page) if block.name}
    assert [
        stem
        for stem, text in files.items()
        if stem != "pyproject" and told.count(stem) == text.count(stem)
    ] == []


def test_readme_has_the_two_commands() -> None:
    lines = README.read_text().splitlines()
    assert "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/pycom demo" in lines
    assert "python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox" in lines
