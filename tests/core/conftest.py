"""Fixtures of the tests of the kernel."""

from __future__ import annotations

from in_process import distributions, make_runtime

__all__ = ["distributions", "make_runtime"]
