"""The wording of docstrings: sentences that say what a thing does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]

FILES = [
    path
    for folder in (
        *("pycom", "zerojson", "pycom_plugins", "pycom_core"),
        *("tests", "docs", "examples", "benchmarks"),
    )
    for pattern in ("*.py", "*.py.template")
    for path in (REPOSITORY / folder).rglob(pattern)
] + [*REPOSITORY.glob("*.py")]

#: Words that begin a question, or a clause without its main sentence.
_CLAUSE = re.compile(r"(?:What|Who|Whom|Whose|Whether|Which|How|Where|When|Why)(?:ever)?\b")


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each docstring."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text is not None:
                yield node.body[0].lineno, text


def test_no_docstring_begins_with_a_clause() -> None:
    assert len(FILES) > 300
    found = [
        f"{path.relative_to(REPOSITORY)}:{line}: {text.splitlines()[0]}"
        for path in FILES
        for line, text in docstrings(path.read_text("utf-8"))
        if _CLAUSE.match(text)
    ]
    assert found == []


def test_docstrings_are_found_at_all_levels() -> None:
    source = '"""A."""\nclass B:\n    """B."""\n    async def c(self):\n        """C."""\n'
    assert [*docstrings(source)] == [(1, "A."), (3, "B."), (5, "C.")]
    assert _CLAUSE.match("Whether it is.")
    assert not _CLAUSE.match("Whole names.")
