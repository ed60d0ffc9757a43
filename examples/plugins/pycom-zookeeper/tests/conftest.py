"""A ZooKeeper server: the one at $ZOOKEEPER, or Debian's, started for the tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kazoo.client import KazooClient

JAR = Path("/usr/share/java/zookeeper.jar")


@pytest.fixture(scope="session")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the server is, host:port."""
    if "ZOOKEEPER" in os.environ:
        yield os.environ["ZOOKEEPER"]
        return
    if not JAR.exists() or shutil.which("java") is None:
        # The one thing that pip cannot bring. CI installs it, so there nothing is left out.
        missing = pytest.fail if "CI" in os.environ else pytest.skip
        missing("no ZooKeeper: apt-get install zookeeper, or set ZOOKEEPER to host:port")
    with Server(tmp_path_factory.mktemp("zookeeper")) as server:
        yield server.address


class Server:
    """A server on loopback."""

    def __init__(self, directory: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        config = directory / "zoo.cfg"
        config.write_text(
            f"dataDir={directory / 'data'}\nclientPortAddress=127.0.0.1\nclientPort={port}\n"
            "tickTime=500\nadmin.enableServer=false\nmaxClientCnxns=0\n"
        )
        self._log = (directory / "log").open("wb")
        self.process = subprocess.Popen(
            ["java", "-cp", JAR, "org.apache.zookeeper.server.ZooKeeperServerMain", config],
            stdout=self._log,
            stderr=self._log,
        )
        client = KazooClient(self.address)
        try:
            client.start(timeout=60)
        except BaseException:
            self.close()
            raise
        finally:
            client.stop()
            client.close()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._log.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
