"""The place in a user's code that an exception came from."""

from __future__ import annotations

import importlib
import itertools
import os
import traceback

#: The callers of the user's code: this package, and Python's own import machinery.
_OURS = (
    os.path.dirname(os.path.dirname(__file__)) + os.sep,
    os.path.dirname(importlib.__file__) + os.sep,
    "<frozen ",
)


def place(error: BaseException) -> str:
    """Return the lines of a traceback from the user's first frame to the last; or nothing."""
    frames: list[traceback.FrameSummary] = traceback.extract_tb(error.__traceback__)
    for _ in range(2):  # from the front, then from the back
        frames = list(itertools.dropwhile(_is_ours, frames))[::-1]
    return "".join(["\n", *traceback.format_list(frames)]).rstrip()


def _is_ours(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith(_OURS)
