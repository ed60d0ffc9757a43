"""Fixtures of the tests of the asyncio side."""

from __future__ import annotations

from in_process import make_runtime

__all__ = ["make_runtime"]
