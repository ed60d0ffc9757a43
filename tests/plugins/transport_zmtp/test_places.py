"""Addresses to listen on, and the sockets that become of them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import helpers
import pytest
from helpers import until
from zmtp_servers import answer, descriptors, doing, listening
from zmtp_stage import plain

from pycom_core import ConfigurationError
from pycom_plugins.transport_zmtp import places
from pycom_plugins.transport_zmtp.transport import ZmtpTransport

AMPLE = helpers.PATIENCE * 1000


@contextmanager
def bound(address: str) -> Iterator[tuple[socket.socket, str]]:
    """A socket that listens, and its address."""
    listening, real = places.bound(address)
    try:
        yield listening, real
    finally:
        places.unbind(listening)


def client_of(listening: socket.socket, address: str) -> str:
    """Connect, and return the client's address as the server shows it."""
    with plain(address):
        listening.setblocking(True)
        accepted, where = listening.accept()
        accepted.close()
        return places.shown(where)


@pytest.mark.parametrize(
    ("address", "real", "reached_by", "client"),
    [
        ("tcp://127.0.0.1:*", "tcp://127.0.0.1:", "127.0.0.1", "tcp://127.0.0.1:"),
        ("tcp://127.0.0.1:0", "tcp://127.0.0.1:", "127.0.0.1", "tcp://127.0.0.1:"),
        ("tcp://localhost:*", "tcp://127.0.0.1:", "127.0.0.1", "tcp://127.0.0.1:"),
        ("tcp://lo:*", "tcp://127.0.0.1:", "127.0.0.1", "tcp://127.0.0.1:"),
        ("tcp://*:*", "tcp://0.0.0.0:", "127.0.0.1", "tcp://127.0.0.1:"),
        ("tcp://[::1]:*", "tcp://[::1]:", "[::1]", "tcp://[::1]:"),
        ("tcp://[::]:*", "tcp://[::]:", "[::1]", "tcp://[::1]:"),
        ("tcp://[::]:*", "tcp://[::]:", "127.0.0.1", "tcp://127.0.0.1:"),
    ],
)
def test_ports(address: str, real: str, reached_by: str, client: str) -> None:
    with bound(address) as (listening, told):
        start, _, port = told.rpartition(":")
        assert start + ":" == real
        assert int(port) > 0
        assert client_of(listening, f"tcp://{reached_by}:{port}").startswith(client)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("tcp://192.0.2.1:*", "Cannot assign requested address"),
        ("tcp://nowhere.invalid:*", "the host name cannot be resolved"),
        (f"tcp://{'a' * 64}.:*", "the host name cannot be resolved"),
        ("ipc:///nowhere/at/all", "No such file or directory"),
        (f"ipc:///tmp/{'a' * 200}", "AF_UNIX path too long"),
    ],
)
def test_what_cannot_be_listened_on(address: str, reason: str) -> None:
    told = re.escape(f"Cannot listen on '{address}': {reason}")
    with pytest.raises(ConfigurationError, match=told):
        places.bound(address)


def test_port_in_use_and_free_again() -> None:
    with bound("tcp://127.0.0.1:*") as (listening, address):
        with pytest.raises(ConfigurationError, match="Address already in use"):
            places.bound(address)
        with plain(address) as client:
            listening.setblocking(True)
            accepted, _ = listening.accept()
            accepted.close()  # which leaves the port in TIME_WAIT
            assert client.recv(1) == b""
    with bound(address) as (_, again):
        assert again == address


# Unix sockets.


def test_file_goes_with_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with bound(f"ipc://{path}") as (listening, address):
        assert address == f"ipc://{path}"
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert client_of(listening, address) == "ipc://"
    assert not path.exists()


def test_any_path_is_for_this_user_alone_and_leaves_nothing() -> None:
    with bound("ipc://*") as (listening, address):
        path = Path(address.removeprefix("ipc://"))
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert client_of(listening, address) == "ipc://"
    assert not path.parent.exists()


def test_abstract_name_has_no_file() -> None:
    with bound("ipc://@pycom-test-places") as (listening, address):
        assert address == "ipc://@pycom-test-places"
        assert client_of(listening, address) == "ipc://"
        with pytest.raises(ConfigurationError, match="Address already in use"):
            places.bound(address)
    with bound(address):
        pass


LEFT = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()"


def test_file_of_a_process_that_died_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    subprocess.run([sys.executable, "-c", LEFT, path], check=True)
    assert path.exists()
    with bound(f"ipc://{path}") as (listening, address):
        assert client_of(listening, address) == "ipc://"
    assert not path.exists()


@pytest.mark.parametrize("backlog", [5, 0])
def test_socket_that_somebody_listens_on_is_left_alone(backlog: int, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as waiting:
        other.bind(str(path))
        other.listen(backlog)
        waiting.connect(str(path))  # with a backlog of 0 there is no room for more
        with pytest.raises(ConfigurationError, match="Address already in use"):
            places.bound(f"ipc://{path}")
        assert path.exists()


def test_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter"
    path.write_text("dear")
    with pytest.raises(ConfigurationError, match="Address already in use"):
        places.bound(f"ipc://{path}")
    assert path.read_text() == "dear"


@pytest.mark.parametrize("path", ["socket", "*"])
def test_nothing_is_left_of_what_cannot_be_listened_on(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: socket.socket) -> None:
        raise OSError(errno.ENOBUFS, "no room")

    monkeypatch.setattr(places, "_listen", fail)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(ConfigurationError, match="no room"):
        places.bound("ipc://*" if path == "*" else f"ipc://{tmp_path}/{path}")
    assert list(tmp_path.iterdir()) == []


def test_file_of_another_socket_since_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with bound(f"ipc://{path}"):
        path.unlink()
        successor, _ = places.bound(f"ipc://{path}")
    assert path.exists()
    places.unbind(successor)
    assert not path.exists()


def test_file_that_is_gone_already_is_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with bound(f"ipc://{path}"):
        path.unlink()


def test_forked_child_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with bound(f"ipc://{path}") as (listening, address):
        child = os.fork()
        if not child:
            places.forget(listening)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert client_of(listening, address) == "ipc://"


# To connect to.


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("127.0.0.1:7", ("127.0.0.1", 7)),
        ("127.0.0.1:*", ("127.0.0.1", 0)),
        ("127.0.0.1", ("127.0.0.1", 0)),
        ("lo", ("127.0.0.1", 0)),
        ("*:7", ("0.0.0.0", 7)),
        ("*:*", ("0.0.0.0", 0)),
    ],
)
def test_sources(source: str, expected: tuple[str, int]) -> None:
    found = places.known(places.to_connect(f"tcp://{source};127.0.0.1:1"))
    assert found == [places.Place(socket.AF_INET, ("127.0.0.1", 1), expected)]


@pytest.mark.parametrize("path", ["/" + "x" * 106, "@" + "x" * 106, "/" + "x" * 107, ""])
def test_length_of_a_path(path: str) -> None:
    address = f"ipc://{path}"
    if 0 < len(path) <= 107:  # sun_path of unix(7), less its end
        assert places.to_connect(address) == address
        return
    with pytest.raises(ConfigurationError, match="Invalid address"):
        places.to_connect(address)


def test_socket_with_a_source_that_is_not_here_is_closed() -> None:
    place = places.Place(socket.AF_INET, ("127.0.0.1", 1), ("192.0.2.1", 0))
    before = descriptors()
    with pytest.raises(OSError, match="assign") as caught:
        place.socket()
    assert descriptors() == before, caught  # while the error is kept


@pytest.mark.parametrize("host", ["nowhere.invalid", f"{'a' * 64}."])
def test_name_that_cannot_be_resolved_is_an_obstacle(host: str) -> None:
    told = places.obstacle(f"tcp://{host}:1", 1)
    assert told == f"the host name {host!r} cannot be resolved"


def test_obstacles(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/socket"
    assert places.obstacle(address, 1) == "No such file or directory"
    with bound(address):
        assert places.obstacle(address, 1) is None
    with bound("tcp://127.0.0.1:*") as (_, address):
        assert places.obstacle(address, 1) is None
    assert places.obstacle(address, 1) == "Connection refused"


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
def test_small_messages_leave_at_once_and_a_dead_host_is_noticed(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Noting(places.QuietSocket):
        def setsockopt(self, level: int, option: int, value: Any) -> None:  # type: ignore[override]
            told.append((level, option, value))
            super().setsockopt(level, option, value)

    told: list[Any] = []

    async def call_on_loop() -> None:
        channel = transport.connect_async(server.address)
        try:
            await channel.exchange([b"CALL", b"{}"], AMPLE)
        finally:
            channel.close()

    with listening() as server, doing(lambda: answer(server.wire())):
        monkeypatch.setattr(places, "QuietSocket", Noting)
        transport = ZmtpTransport()
        if kind == "asyncio":
            asyncio.run(call_on_loop())
        else:
            with contextlib.closing(transport.connect(server.address)) as channel:
                channel.exchange([b"CALL", b"{}"], AMPLE)
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in told
    assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in told


def test_socket_that_was_forgotten_may_be_forgotten_again() -> None:
    one, other = socket.socketpair()
    with other:
        for _ in range(2):
            places.forget(one)
        assert other.recv(1) == b""


# The other end.


def test_hung_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
    with ours, theirs:
        theirs.sendall(b"unread")
        assert not places.is_hung_up(ours)
        theirs.shutdown(socket.SHUT_WR)
        ours.recv(1, socket.MSG_PEEK)
        until(lambda: places.is_hung_up(ours))
        ours.setblocking(False)
        places.pass_over_input(ours, memoryview(bytearray(4)))
        assert ours.recv(1) == b""


def test_nobody_is_cut_off_here() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        with client, accepted:
            client.sendall(b"x")
            until(lambda: places.is_cut_off(client) is None)
    one, other = socket.socketpair()
    with one, other:
        one.sendall(b"x")
        assert places.is_cut_off(one) is None


def test_host_of_a_client_is_a_whole_network_of_ipv6() -> None:
    clients = [("2001:db8:0:1::7", 1, 0, 0), ("2001:db8:0:1:a:b:c:d", 2, 0, 0)]
    assert {places.host(client) for client in clients} == {"2001:db8:0:1::/64"}
    assert places.host(("2001:db8:0:2::7", 1, 0, 0)) == "2001:db8:0:2::/64"
    assert places.host(("fe80::1%eth0", 1, 0, 2)) == "fe80::/64"
    assert places.host(("10.0.0.1", 1)) == places.host(("::ffff:10.0.0.1", 1, 0, 0)) == "10.0.0.1"
    assert places.shown(("2001:db8::7", 80, 0, 0)) == "tcp://[2001:db8::7]:80"


@pytest.mark.parametrize("source", ["a..b", f"{'a' * 64}.example"])
def test_source_that_can_be_no_name_is_an_error_of_the_system(source: str) -> None:
    with pytest.raises(OSError, match="label"):
        places.look_up(f"tcp://{source};127.0.0.1:2013")


def test_socket_that_could_not_be_made_is_dropped_without_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unraisable: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    with pytest.raises(OSError, match="support"):
        places.QuietSocket(-2)
    assert unraisable == []


def test_input_is_looked_at_and_left() -> None:
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        assert not places.has_input(here)
        there.sendall(b"x")
        assert places.has_input(here)
        assert here.recv(2) == b"x"
        there.close()
        assert places.has_input(here)  # the end
