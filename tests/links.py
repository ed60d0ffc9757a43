"""The link that can be cut of the benchmarks, where the system has such links."""

from __future__ import annotations

import contextlib
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path

import missing

# Not from a folder on `sys.path`: modules of the benchmarks have the names of many things.
_links = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "links.py"))

FAR: str = _links["FAR"]

Prefix = tuple[str, ...]


@contextlib.contextmanager
def link() -> Iterator[tuple[Prefix, Prefix, Callable[[bool], None]]]:
    """Prefixes that run a command at either end, and a switch: while it is off, packets get lost.

    Without such links the test is skipped, or fails in CI.
    """
    with contextlib.ExitStack() as stack:
        try:
            ends = stack.enter_context(_links["link"]())
        except _links["NoLink"] as error:
            missing.give_up("a link between network namespaces", str(error))
        yield ends
