"""A link that can be cut, between two network namespaces. It takes no rights, but a Linux.

The tests use it as well.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence

NEAR, FAR, NOBODY = "10.9.0.1", "10.9.0.2", "02:00:00:00:00:99"

Prefix = tuple[str, ...]


class NoLink(RuntimeError):
    """This system has no such links: it says what is missing."""


@contextlib.contextmanager
def link() -> Iterator[tuple[Prefix, Prefix, Callable[[bool], None]]]:
    """Prefixes that run a command at either end, and a switch: while it is off, packets get lost.

    Raises `NoLink`.
    """
    unshare, nsenter, ip_program = map(_program, ("unshare", "nsenter", "ip"))
    with contextlib.ExitStack() as stack:

        def space(*outer: str) -> tuple[int, Prefix]:
            command = [*outer, "sh", "-c", "echo; exec sleep 1000"]
            sleeper = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            stack.callback(sleeper.communicate)
            stack.callback(sleeper.kill)
            assert sleeper.stdout is not None
            if not sleeper.stdout.readline():
                raise NoLink(f"no namespaces: {sleeper.communicate()[1].decode().strip()}")
            enter = (nsenter, "-t", str(sleeper.pid), "-U", "--preserve-credentials", "-n")
            return sleeper.pid, enter

        def ip(side: Sequence[str], words: str) -> None:
            command = [*side, ip_program, *words.split()]
            done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
            if done.returncode:
                raise NoLink(f"`ip {words}` failed: {done.stderr.strip()}")

        _, near = space(unshare, "-rn")
        far_pid, far = space(*near, unshare, "-n")
        ip(near, f"link add near type veth peer name far netns {far_pid}")
        for side, name, own in ((near, "near", NEAR), (far, "far", FAR)):
            ip(side, "link set lo up")
            ip(side, f"addr add {own}/24 dev {name}")
            ip(side, f"link set {name} up")

        def switch(is_on: bool) -> None:
            # Packets go to a station that there is not, and vanish.
            for side, name, other in ((near, "near", FAR), (far, "far", NEAR)):
                nobody = f"neigh replace {other} lladdr {NOBODY} dev {name} nud permanent"
                ip(side, f"neigh del {other} dev {name}" if is_on else nobody)

        yield near, far, switch


def _program(name: str) -> str:
    # Not every user has the folders of the administrator's programs on the path.
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if found is None:
        raise NoLink(f"no program {name}")
    return found
