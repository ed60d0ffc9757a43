"""The host that this process runs on."""

from __future__ import annotations

import functools
from pathlib import Path


@functools.cache
def boot_id() -> str:
    """Return the id of this boot of the machine; monotonic clocks are comparable within it only."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        import uuid

        # Unknown, so every process is taken for a machine and a run of its own.
        return uuid.uuid4().hex
