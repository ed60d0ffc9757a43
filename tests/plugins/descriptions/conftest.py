"""Fixtures of the tests of descriptions."""

from __future__ import annotations

from in_process import make_runtime

__all__ = ["make_runtime"]
