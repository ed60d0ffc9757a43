"""Fixtures of the tests of the kernel."""

from __future__ import annotations

from faulty import faulty
from in_process import default_runtime, distributions, make_runtime

__all__ = ["default_runtime", "distributions", "faulty", "make_runtime"]
