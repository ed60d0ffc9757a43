"""The loggers of PyCOM."""

from __future__ import annotations

import logging


def logger(name: str = "pycom") -> logging.Logger:
    """The logger of PyCOM; whoever runs the process decides where its records go."""
    return logging.getLogger(name)
