"""A link that can be cut, between two network namespaces. It takes no rights, but a Linux."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence

import pytest

NEAR, FAR, NOBODY = "10.9.0.1", "10.9.0.2", "02:00:00:00:00:99"

Prefix = tuple[str, ...]


@contextlib.contextmanager
def link() -> Iterator[tuple[Prefix, Prefix, Callable[[bool], None]]]:
    """Prefixes that run a command at either end, and a switch: while it is off, packets get lost.

    Those that the near end sends: what comes to it arrives.
    """
    if not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        pytest.skip("there is no unshare, nsenter or ip")
    with contextlib.ExitStack() as stack:

        def space(*outer: str) -> tuple[int, Prefix]:
            command = [*outer, "sh", "-c", "echo; exec sleep 1000"]
            sleeper = subprocess.Popen(command, stdout=subprocess.PIPE)
            stack.callback(sleeper.communicate)
            stack.callback(sleeper.kill)
            assert sleeper.stdout is not None
            if not sleeper.stdout.readline():
                pytest.skip("there may be no namespaces")
            enter = ("nsenter", "-t", str(sleeper.pid), "-U", "--preserve-credentials", "-n")
            return sleeper.pid, enter

        _, near = space("unshare", "-rn")
        far_pid, far = space(*near, "unshare", "-n")

        def ip(side: Sequence[str], words: str) -> int:
            return subprocess.run([*side, "ip", *words.split()]).returncode

        if ip(near, f"link add near type veth peer name far netns {far_pid}"):
            pytest.skip("there are no links between namespaces")
        for side, name, own in ((near, "near", NEAR), (far, "far", FAR)):
            assert not ip(side, f"addr add {own}/24 dev {name}")
            assert not ip(side, f"link set {name} up")

        def switch(is_on: bool) -> None:
            nobody = f"neigh replace {FAR} lladdr {NOBODY} dev near nud permanent"
            assert not ip(near, f"neigh del {FAR} dev near" if is_on else nobody)

        yield near, far, switch
