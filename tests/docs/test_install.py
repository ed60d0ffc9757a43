"""The pages on installation: no command installs the old PyCOM from the package index."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents import ROOT

#: What a user may read and copy, messages of the programs among it.
TEXTS = [
    path
    for folder in ("", "docs", "examples", "changelog.d", "pycom_core", "pycom_plugins")
    for pattern in ("*.md", "**/*.rst", "**/*.py", "**/README.md", "**/*.template")
    for path in (ROOT / folder).glob(pattern if folder else "*.md")
]
_FROM_INDEX = re.compile(r"pycom(-[\w-]+)?(\[[\w,]*\])?([<>=!~].*)?$")
INSTALL = ROOT / "docs" / "install.rst"


def from_index(text: str) -> Iterator[str]:
    """Commands in a text that have pip look for PyCOM, or for a plugin of it, on the index."""
    for match in re.finditer(r"pip install ([^`\n]*)(`* brings)?", text):
        command, is_warning = match[1].partition("&&")[0].partition("#")[0], match[2]
        words = shlex.split(command.replace("\\", "").replace('"', ""), posix=False)
        for before, word in zip(["", *words], words, strict=False):
            if before != "-e" and _FROM_INDEX.match(word.strip("'")) and not is_warning:
                yield match[0]


def test_nothing_installs_pycom_from_the_index() -> None:
    assert len(TEXTS) > 20
    found = {path: list(from_index(path.read_text())) for path in TEXTS}
    assert {path: commands for path, commands in found.items() if commands} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("`pip install pycom`", True),
        ("pip install 'pycom[uvloop]'", True),
        ("pip install -q pycom>=1", True),
        ("pip install pycom-audit && pycom plugins", True),
        ("`pip install pycom` brings 0.6.0", False),
        ("pip install '.[uvloop]'", False),
        ("pip install -e 'pycom-geo[test]'", False),
        ("pip install dist/pycom-1.0.0-py3-none-any.whl", False),
        ("pip install tox  # for pycom", False),
    ],
)
def test_what_would_install_it_is_found(text: str, found: bool) -> None:
    assert bool(list(from_index(text))) is found


@pytest.mark.parametrize("page", [ROOT / "README.md", INSTALL], ids=lambda page: page.name)
def test_warning(page: Path) -> None:
    text = " ".join(page.read_text().split())
    assert "PyCOM 1.0 is not on the package index yet" in text
    assert "brings version 0.6.0 of 2012" in text


def test_every_extra_is_explained() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    explained = re.findall(r"^   \* - ``(\w+)``$", INSTALL.read_text(), re.M)
    assert explained == list(dict.fromkeys(["uvloop", *settings["options.extras_require"]]))
    assert explained, "there are extras"


def test_wheel_of_the_page_is_that_of_this_version() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    version = settings["metadata"]["version"]
    assert set(re.findall(r"pycom-(.*?)-py3", INSTALL.read_text())) == {version}
