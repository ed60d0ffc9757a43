"""The floor plan of the kernel: rooms, and arrows that point down only."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pycom_core

ROOT = Path(pycom_core.__file__).parent
REPOSITORY = Path(__file__).parents[2]


def _modules() -> dict[str, Path]:
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = [*path.relative_to(ROOT.parent).with_suffix("").parts]
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(parts)] = path
    return found


MODULES = _modules()


def imports(module: str) -> Iterator[str]:
    """The modules of the kernel that a module imports: anywhere in it, for types alone or not.

    The public page is no module in this sense: it stands for all of them.
    """
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{module} has a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            while name and name not in MODULES:
                name = name.rpartition(".")[0]
            if name not in ("", "pycom_core", module):
                yield name


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected parts of more than one module (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in arrows[module]:
            if other not in index:
                visit(other)
            if other in stack:
                low[module] = min(low[module], low[other])
        if low[module] == index[module]:
            part = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(part) > 1:
                found.append(sorted(part))

    for module in arrows:
        if module not in index:
            visit(module)
    return found


def test_no_circle_of_imports_however_lazy() -> None:
    arrows = {module: set(imports(module)) for module in MODULES if module != "pycom_core"}
    assert sum(map(len, arrows.values())) > 100
    assert circles(arrows) == []


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_public_page_is_asked_by_the_specs_of_hooks_alone(module: str) -> None:
    # Whoever imports a name from there imports its module, and hides which one.
    if module.startswith("pycom_core.testing") or module == "pycom_core.hookspecs":
        return
    names = {
        alias.name
        for node in ast.walk(ast.parse(MODULES[module].read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "pycom_core"
        for alias in node.names
    }
    assert {name for name in names if f"pycom_core.{name}" not in MODULES} == set()


# The kernel knows features by their entry points alone, not by name either.

_ABOVE = ("pycom", "zerojson", "pycom_plugins")
_DOTTED = re.compile(r"\w+(?:\.\w+)*")


def modules_above(source: str) -> set[str]:
    """Return the modules above the kernel that the strings of a source name, docstrings aside.

    `pycom` alone is the distribution, the command, and the logger.
    """
    tree = ast.parse(source)
    prose = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    strings = (
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
    )
    return {
        name
        for string in strings
        for name in _DOTTED.findall(string)
        if name.partition(".")[0] in _ABOVE and name != "pycom" and _is_module(name)
    }


def _is_module(name: str) -> bool:
    path = REPOSITORY.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


@pytest.mark.parametrize("module", sorted(MODULES))
def test_kernel_does_not_name_what_is_above_it(module: str) -> None:
    assert modules_above(MODULES[module].read_text()) == set()


def test_names_of_modules_in_strings_are_found() -> None:
    source = """
def f(name):
    "Docstrings may name pycom_plugins."
    return "pycom.apps.nameserver", f"pycom_plugins.{name}", "see zerojson", "pycom.plugins pycom"
"""
    assert modules_above(source) == {"pycom.apps.nameserver", "pycom_plugins", "zerojson"}


# What others may use of the kernel.

OUTSIDE = [
    path
    for folder in ("pycom", "zerojson", "pycom_plugins", "examples", "benchmarks")
    for pattern in ("*.py", "*.template")
    for path in (REPOSITORY / folder).rglob(pattern)
    if "tests" not in path.parts
]
_INTERNAL = re.compile(r"(?:from|import) pycom_core(?:\.\w+)*\._|from pycom_core[\w.]* import _")


def test_nobody_outside_imports_what_is_internal() -> None:
    assert len(OUTSIDE) > 60
    found = [path for path in OUTSIDE if _INTERNAL.search(path.read_text())]
    assert found == []


def test_what_is_internal_is_recognised() -> None:
    for line in (
        "from pycom_core.wire._codec import x",
        "import pycom_core.wire._codec",
        "from pycom_core.wire import _codec as codec",
    ):
        assert _INTERNAL.search(line)
    assert not _INTERNAL.search("from pycom_core.testing import LocalNetwork")
