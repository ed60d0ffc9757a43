"""The marker that plugins put on their hooks."""

from __future__ import annotations

import pluggy

#: Marks a function of a plugin as the implementation of the hook of its name.
hookimpl = pluggy.HookimplMarker("pycom")
