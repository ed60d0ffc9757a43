"""The documentation says all that it has to: hooks, settings, commands and errors."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import click
import pytest
from documents import PAGES, ROOT, blocks, sections

from pycom_core import errors, hookspecs, settings
from pycom_core.cli import main

DOCS = ROOT / "docs"
HOOKS = {
    f"{name}({', '.join(inspect.signature(function).parameters)})"
    for name, function in vars(hookspecs).items()
    if name.startswith("pycom_")
}
EXTENDING = sections(DOCS / "extending.rst")
#: What is said of every hook.
FIELDS = ("Arguments", "Called", "Returns", "None", "Order", "Exception")


def rows(page: str) -> list[list[str]]:
    """The rows of the tables of a page."""
    text = (DOCS / page).read_text()
    return [
        [" ".join(cell.split()) for cell in re.split(r"^ +-(?: |$)", row, flags=re.M)]
        for row in re.findall(r"^   \* - (.*\n(?:     .*\n)*)", text, re.M)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_all_code_is_in_blocks(page: Path) -> None:
    text = page.read_text()
    assert len(blocks(page)) == text.count("\n```") // 2 + text.count(".. code-block::")
    others = re.sub(r"code-block::|\.\. warning::", "", text)
    assert page.suffix == ".md" or not re.search(r"::\n\n +", others)


def test_every_hook_has_its_heading() -> None:
    assert {heading for heading in EXTENDING if heading.startswith("pycom_")} == HOOKS


@pytest.mark.parametrize("hook", sorted(HOOKS))
def test_everything_is_said_of_a_hook(hook: str) -> None:
    assert tuple(re.findall(r"^:(\w+): \S", EXTENDING[hook], re.M)) == FIELDS


def test_every_setting_is_explained() -> None:
    assert "\n.. settings::\n" in (DOCS / "configuration.rst").read_text()
    assert all(len(settings.about(name).split()) > 4 for name in settings.names())
    assert len(settings.names()) > 15


def test_every_inner_setting_is_explained() -> None:
    for name, group in (("authentication", settings.Authentication), ("plugins", settings.Plugins)):
        text = settings.about(name)
        for field in attrs.fields(group):
            assert f"``{field.name}``" in text


def test_every_command_is_explained() -> None:
    explained = sections(DOCS / "cli.rst")
    for name in main.list_commands(click.Context(main)):
        assert f"pycom {name}" in explained


def test_every_option_is_explained() -> None:
    explained = sections(DOCS / "cli.rst")
    common = explained.pop("Command line")
    for name in main.list_commands(click.Context(main)):
        for option in options(main.commands[name]):
            # Those that commands have in common are named by their first form.
            text = explained[f"pycom {name}"]
            missing = [form for form in option.opts if form not in text + common]
            if not any(form in text for form in option.opts):
                missing = option.opts
            assert not missing, f"{missing} of pycom {name}"


def options(command: click.Command) -> Iterator[click.Option]:
    """The options of a command, and of those below it."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield parameter
    for inner in getattr(command, "commands", {}).values():
        yield from options(inner)


def test_every_error_is_explained() -> None:
    tree = {
        name: value
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, errors.PycomError)
    }
    explained = {row[0].strip("`"): row[1:] for row in rows("calling.rst")[1:]}
    assert set(explained) == set(tree) - {"PycomError"}
    for name, (below, code, *_) in explained.items():
        assert below == f"``{tree[name].__base__.__name__}``" or name == "CallTimeout"
        assert code == str(getattr(tree[name], "code", ""))
