"""The loggers of PyCOM."""

from __future__ import annotations

import logging


def logger(name: str = "pycom") -> logging.Logger:
    """Return the logger of PyCOM; the program decides where its records go."""
    return logging.getLogger(name)
