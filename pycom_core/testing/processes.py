"""Services in processes."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

from pycom_core.testing.registry import PATIENCE, Registry


class ServiceChild:
    """`python -m pycom` in a process of its own, and its output."""

    def __init__(
        self,
        name: str,
        address: str,
        arguments: Sequence[str],
        directory: Path,
        environ: Mapping[str, str],
        registry: Registry,
    ) -> None:
        self.name = name
        self.address = address
        self._arguments, self._directory, self._environ = arguments, directory, environ
        self._registry = registry
        self._process: subprocess.Popen[str] | None = None
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._read_all = True
        self._reader: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<ServiceChild {self.name} at {self.address}, {self.state}>"

    @property
    def process(self) -> subprocess.Popen[str]:
        """The process of the last start."""
        assert self._process is not None
        return self._process

    @property
    def alive(self) -> bool:
        """True while it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def state(self) -> str:
        """Its process, in words."""
        if self._process is None:
            return "not started"
        status = self._process.poll()
        ended = "" if status is None else f", which ended with status {status}"
        return f"process {self._process.pid}{ended}"

    @property
    def log(self) -> str:
        """Its output, including that of earlier starts."""
        with self._news:
            return "".join(self._lines)

    def start(self) -> None:
        """Run it, also again after its end, with its name at its address. It is ready on return.

        Raises RuntimeError, with its log, if it ends instead.
        """
        self._registry.forget(self.name)
        command = [sys.executable, "-m", "pycom", "-s", self.name, "-a", self.address]
        self._process = subprocess.Popen(
            [*command, *self._arguments],
            cwd=self._directory,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # what it starts in its turn ends with it
        )
        # At the latest with this process, also when nobody closes the network.
        weakref.finalize(self, _kill, self._process)
        self._read_all = False
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()
        address = self._registry.wait_for(self.name, lambda: not self.alive)
        if address is None:
            problem = "is not registered in time" if self.alive else "ended"
            self.kill()
            raise RuntimeError(f"{self.name} {problem}; its log:\n{self.log}")
        self.address = address

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                with self._news:
                    self._lines.append(line)
                    self._news.notify_all()
        process.wait()
        with self._news:
            self._read_all = True
            self._news.notify_all()
        self._registry.stir()

    def wait_for(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Return the last match of a pattern in its log, once there are that many.

        Raises AssertionError, with the log, if it ends or takes too long.
        """
        found: list[re.Match[str]] = []

        def is_there() -> bool:
            found[:] = re.finditer(pattern, "".join(self._lines))
            return len(found) >= times or self._read_all

        with self._news:
            self._news.wait_for(is_there, PATIENCE)
        assert len(found) >= times, f"no {pattern!r} in the log of {self.name}:\n{self.log}"
        return found[-1]

    def stop(self) -> int:
        """End it in order (SIGTERM). Returns its exit status."""
        self.process.terminate()
        return self._ended()

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        if self._process is not None:
            _kill(self._process)
            self._ended()

    def _ended(self) -> int:
        status = self.process.wait(PATIENCE)
        if self._reader is not None:
            self._reader.join(PATIENCE)
        return status


def _kill(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return our environment, without settings of PyCOM, but with our path of modules."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("PYCOM_")}
    path = os.pathsep.join([*filter(None, sys.path), os.getcwd()])
    return {**inherited, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **(extra or {})}
