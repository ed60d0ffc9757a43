"""Fixtures of the tests of the faces."""

from __future__ import annotations

from in_process import default_runtime, distributions, make_runtime

__all__ = ["default_runtime", "distributions", "make_runtime"]
