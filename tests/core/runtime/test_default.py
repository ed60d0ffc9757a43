"""The default runtime of a process."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, sys
import pycom_core

class Mine:
    @pycom_core.hookimpl
    def pycom_close(self, runtime):
        print("closed", runtime is pycom_core.default_runtime(), flush=True)

pycom_core.default_runtime().plugins.register(Mine(), "mine")
"""


def run(ending: str) -> str:
    """Return the output of a program with a plugin that says when its runtime closes."""
    command = [sys.executable, "-c", f"{PROGRAM}\n{ending}"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_closes_its_plugins_at_the_end_of_the_process() -> None:
    assert run("print('ends', flush=True)") == "ends\nclosed True\n"


def test_closes_its_plugins_once() -> None:
    assert run("pycom_core.default_runtime().close(); print('ends')") == "closed True\nends\n"


def test_child_leaves_them_to_its_parent() -> None:
    ending = """
child = os.fork()
if child == 0:
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
print("ends", flush=True)
"""
    assert run(ending) == "ends\nclosed True\n"
