"""Untrusted regular expressions, matched in linear time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pycom_core import BadRequest

_LONGEST = 1000


def matcher(argument: str, pattern: Any) -> Callable[[str], Any]:
    """Return a function that matches `pattern` from the beginning of a text; None matches all.

    RE2 has no backtracking, so no expression can stall the nameserver. Raises `BadRequest` for a
    malformed expression, or one that RE2 does not support (backreferences, look-around).
    """
    if pattern is None:
        return lambda text: True
    if type(pattern) is not str:
        raise BadRequest(
            f"Invalid type for argument {argument!r}, expected str, got {type(pattern).__name__}"
        )
    if len(pattern) > _LONGEST:
        raise BadRequest(f"Argument {argument!r} is longer than {_LONGEST} characters")
    import re2  # loaded by the first expression: most nameservers never see one

    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        match: Callable[[str], Any] = re2.compile(pattern, options).match
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error, re2.error) else error
        raise BadRequest(
            f"Invalid regular expression in argument {argument!r}: {reason}"
        ) from error
    return match
