"""Where in a user's code an exception came from."""

from __future__ import annotations

import importlib
import itertools
import os
import traceback

#: What calls the user's code: this package, and what Python imports modules with.
_OURS = (
    os.path.dirname(os.path.dirname(__file__)) + os.sep,
    os.path.dirname(importlib.__file__) + os.sep,
    "<frozen ",
)


def place(error: BaseException) -> str:
    """Lines of a traceback that begin with the user's own frame; empty without one."""
    frames = itertools.dropwhile(
        lambda frame: frame.filename.startswith(_OURS), traceback.extract_tb(error.__traceback__)
    )
    return "".join(["\n", *traceback.format_list(list(frames))]).rstrip()
