"""The release, in a forked child, of resources that its parent goes on using."""

from __future__ import annotations

import functools
import os
import weakref
from typing import Protocol


class LeavesToParent(Protocol):
    """An owner of something that two processes cannot share."""

    def leave_to_parent(self) -> None:
        """Release it, in a forked child."""


_owners: weakref.WeakSet[LeavesToParent] = weakref.WeakSet()


def watch(owner: LeavesToParent) -> None:
    """Have `owner.leave_to_parent` called in each child that is forked while the owner lives."""
    _register_at_fork()
    _owners.add(owner)


@functools.cache
def _register_at_fork() -> None:
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _after_fork_in_child() -> None:
    for owner in list(_owners):
        owner.leave_to_parent()
