"""The documentation is complete: hooks, settings, commands and errors."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import attrs
import click
import pytest
from documents import PAGES, ROOT, blocks, sections

import pycom_core
from pycom_core import errors, hookspecs, settings
from pycom_core.cli import main
from pycom_core.server import _pipeline
from pycom_core.settings import tomllib

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
    if page.suffix == ".rst":
        others = re.sub(r"code-block::|\.\. warning::", "", text)
        assert not re.search(r"::\n\n +", others)


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
        assert below == f"``{tree[name].__bases__[0].__name__}``"
        assert code == str(getattr(tree[name], "code", ""))


# The kernel: its names, and its floor plan.

#: What users read and copy.
FOR_USERS = [
    *PAGES,
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *(ROOT / "changelog.d").glob("*.md"),
    *(ROOT / "pycom_plugins" / "scaffold" / "templates").glob("*.template"),
    *(
        path
        for folder in ("benchmarks", "examples")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".md", ".toml")
        and not {"build", ".tox", ".venv"}.intersection(path.parts)
    ),
]
KERNEL = Path(pycom_core.__file__).parent
PLAN = sections(DOCS / "design.rst")
ROOMS = "The rooms of the kernel"


def kernel_names(text: str) -> set[str]:
    """The dotted names of the kernel in a text, those of its import statements among them."""
    found = set(re.findall(r"(?<![\w/])pycom_core(?:\.\w+)+", text))
    for module, plain, lines in re.findall(
        r"^ *from (pycom_core[\w.]*) import (?:\(([^)]*)\)|(.*))$", text, re.M
    ):
        for name in re.sub(r"#.*", "", plain or lines).split(","):
            words = name.split()
            if words:
                found.add(f"{module}.{words[0]}")
    return found


def problem_of(name: str) -> str | None:
    """Say why a reader cannot use a name of the kernel; None if he can."""
    if any(part.startswith("_") for part in name.split(".")):
        return f"{name} is internal"
    parts = name.split(".")
    found: object = pycom_core
    for depth, part in enumerate(parts[1:], 2):
        if not hasattr(found, part):
            try:
                importlib.import_module(".".join(parts[:depth]))
            except ImportError:
                return f"{name} does not exist"
        found = getattr(found, part)
    return None


@pytest.mark.parametrize("path", FOR_USERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_of_the_kernel_are_public_and_exist(path: Path) -> None:
    assert list(filter(None, map(problem_of, sorted(kernel_names(path.read_text()))))) == []


def test_names_of_the_kernel_are_found() -> None:
    text = "from pycom_core import (\n    Runtime,\n    nothing,\n)\nimport pycom_core.process._cli"
    names = kernel_names(f"{text}\nfrom pycom_core.wire._codec import as_frame as x")
    assert {problem_of(name) for name in names} == {
        None,
        "pycom_core.nothing does not exist",
        "pycom_core.process._cli is internal",
        "pycom_core.wire._codec is internal",
        "pycom_core.wire._codec.as_frame is internal",
    }


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.stem)
def test_files_that_are_named_exist(page: Path) -> None:
    named = re.findall(r"`((?:pycom\w*|zerojson|examples|benchmarks)/[\w/.-]*)`", page.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


def drawing(heading: str) -> str:
    """The drawing below a heading of the page on the design."""
    (found,) = re.findall(r"^\.\. code-block:: text\n\n((?:   .*\n)+)", PLAN[heading], re.M)
    return textwrap.dedent(found)


def contract(name: str) -> list[set[str]]:
    """The layers that import-linter checks, from the top."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (found,) = (one for one in contracts["contracts"] if one["name"].startswith(name))
    return [set(layer.split(" : ")) for layer in found["layers"]]


def test_layers_are_drawn_as_they_are_checked() -> None:
    drawn = [set(line.split()) for line in drawing("The house").splitlines()]
    assert drawn == contract("Arrows point down only")


def test_rooms_are_drawn_as_they_are_checked() -> None:
    rows = [line.strip("|").split("|") for line in drawing(ROOMS).splitlines() if "|" in line]
    drawn = [{name.strip() for name in row} for row in rows]
    assert [{name.rstrip("/") for name in row} for row in drawn] == contract("The rooms of")
    assert set().union(*drawn) == {
        f"{path.name}/" if path.is_dir() else path.stem
        for path in KERNEL.iterdir()
        if (path / "__init__.py").exists() or (path.suffix == ".py" and path.stem != "__init__")
    }


def test_every_room_is_explained_from_the_ground_up() -> None:
    explained = re.findall(r"^``(\w+)/``\n   \S", PLAN[ROOMS], re.M)
    layers = contract("The rooms of")[::-1]
    heights = [next(n for n, row in enumerate(layers) if name in row) for name in explained]
    assert heights == sorted(heights)
    assert set(explained) == {path.parent.name for path in KERNEL.glob("*/__init__.py")}


def test_pipeline_is_drawn_as_its_page_says() -> None:
    assert _pipeline.__doc__ is not None
    drawn = " ".join(drawing("The life of a call").split())
    assert drawn in " ".join(_pipeline.__doc__.split())
    functions = re.findall(r"``(\w+)``", PLAN["The life of a call"])
    written = ast.parse(Path(_pipeline.__file__).read_text()).body
    known = {node.name for node in written if isinstance(node, ast.AsyncFunctionDef)}
    assert known.issuperset({"answer", "process", "call"}.intersection(functions))
    assert {"answer", "process", "call"} <= set(functions)


def test_public_modules_are_listed() -> None:
    text = (DOCS / "plugin-authors.rst").read_text()
    table = text.partition(":class: public-modules")[2].partition("- Nothing")[0]
    listed = re.findall(r"\* - ``(\w+)``", table)
    assert sorted(listed) == sorted(
        path.stem
        for path in KERNEL.iterdir()
        if not path.name.startswith("_")
        and (path.suffix == ".py" or _is_public(path / "__init__.py"))
    )


def _is_public(page: Path) -> bool:
    """Tell whether a room has a page of its own that exports something."""
    return page.exists() and "__all__" in page.read_text()
