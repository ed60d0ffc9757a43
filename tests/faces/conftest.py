"""Fixtures of the tests of the faces."""

from __future__ import annotations

from in_process import distributions, make_runtime

__all__ = ["distributions", "make_runtime"]
