"""Looking for an answer again and again for a moment, before sleeping until it comes.

To put a thread to sleep and to wake it takes longer than a small call. Where answers come within
the budget it is quicker not to sleep at all. It must not take from others: see `Polling`.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

#: Lets others run that wait for this core, perhaps the one that is looked for; from one look to the
#: next. Without it they would wait for some ms.
give_way: Callable[[], object] = getattr(os, "sched_yield", lambda: None)
#: s between two looks, beyond which another thread or process has run in between.
PUSHED_ASIDE = 40e-6
#: Waits without a look after one that was in vain; the last is repeated.
_PAUSES = (0, 1, 4, 16, 64)
#: What counts against looking: a wait in vain, and one where others wanted the core. Each success
#: makes up for an eighth of a failure, so one in nine is too much.
_IN_VAIN, _IN_THE_WAY, _SUCCESS = 1.0, 2.0, 0.125


class Polling:
    """A decision for one waiter, from how its last waits went.

    Never where one core is all that there is. Not for long where it is in vain, or where others
    push it aside: then it is tried once in 64 times.
    """

    __slots__ = ("_failures", "_pause", "budget")

    def __init__(self, budget: float) -> None:
        """`budget` is in s; 0 switches it off."""
        self.budget = budget if cores() >= 2 else 0.0
        self._failures = 0.0
        self._pause = 0

    def wanted(self) -> bool:
        """Tell whether to look for a moment now."""
        if self._pause:
            self._pause -= 1
            return False
        return self.budget > 0

    def succeeded(self) -> None:
        """Note that the wait ended within the budget."""
        if self._failures:
            self._failures = max(0.0, self._failures - _SUCCESS)

    def failed(self, pushed_aside: bool = False) -> None:
        """Note that it did not, or that others pushed this waiter aside.

        More of them want to run than there are cores then, and perhaps the one that is waited for.
        """
        most = len(_PAUSES) - 1
        self._failures = min(self._failures + (_IN_THE_WAY if pushed_aside else _IN_VAIN), most)
        self._pause = _PAUSES[int(self._failures)]


@functools.cache
def cores(root: Path = Path("/")) -> float:
    """Number of cores that this process may use, a quota of its cgroup included."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(float(available or 1), _quota(root))


def _quota(root: Path) -> float:
    """The smallest quota of the cgroups that this process is in, in cores."""
    found = [math.inf]
    with contextlib.suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            own = Path(path.lstrip("/"))
            if not controllers:
                found += _quotas(root / "sys/fs/cgroup", own, _version_2)
            elif "cpu" in controllers.split(","):
                found += _quotas(root / "sys/fs/cgroup/cpu", own, _version_1)
    return min(found)


def _quotas(base: Path, own: Path, read: Callable[[Path], float]) -> Iterator[float]:
    for folder in (own, *own.parents):
        with contextlib.suppress(OSError, ValueError):  # in a container not all of them are seen
            yield read(base / folder)


def _version_2(folder: Path) -> float:
    quota, period = (folder / "cpu.max").read_text().split()
    return math.inf if quota == "max" else int(quota) / int(period)


def _version_1(folder: Path) -> float:
    quota = int((folder / "cpu.cfs_quota_us").read_text())
    return math.inf if quota < 0 else quota / int((folder / "cpu.cfs_period_us").read_text())
