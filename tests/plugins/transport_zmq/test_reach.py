"""Reasons why an address cannot be reached, as the system gives them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pycom_plugins.transport_zmq.reach import obstacle


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_port_that_listens_or_refuses(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert obstacle(f"tcp://{host}:{server.getsockname()[1]}", 1.0) is None
    assert obstacle(f"tcp://{host}:{free_port()}", 1.0) == "Connection refused"


@pytest.mark.parametrize("name", ["nowhere.invalid", ".", "a" * 64])
def test_name_that_cannot_be_resolved(name: str) -> None:
    assert obstacle(f"tcp://{name}:2012", 1.0) == f"the host name {name!r} cannot be resolved"


def test_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    assert obstacle(f"ipc://{path}", 1.0) == "No such file or directory"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        assert obstacle(f"ipc://{path}", 1.0) == "Connection refused"
        server.listen()
        assert obstacle(f"ipc://{path}", 1.0) is None
    assert obstacle(f"ipc://{path}", 1.0) == "Connection refused"
    assert obstacle("ipc://@nobody/listens/here", 1.0) == "Connection refused"
    assert obstacle(f"ipc://{'long/' * 50}", 1.0) is not None


@pytest.mark.parametrize(
    "address",
    [
        *("", "local", "local://a", "inproc://a", "nonsense", "tcp://", "tcp://127.0.0.1"),
        *("tcp://127.0.0.1:*", "tcp://127.0.0.1:99999", "tcp://[::1"),
        "tcp://127.0.0.1:0;127.0.0.1:1",
    ],
)
def test_nobody_can_tell(address: str) -> None:
    assert obstacle(address, 1.0) is None


def test_host_that_keeps_silent_may_be_far() -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0silent")
        server.listen(0)
        full = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for one in full:
            one.setblocking(False)
            one.connect_ex("\0silent")
        assert obstacle("ipc://@silent", 0.01) is None
        for one in full:
            one.close()
