"""Services of the same host: which way leads to one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import helpers
import pytest

from pycom_core import AsyncContext, Context, Runtime
from pycom_core import _nearby as nearby
from pycom_core.records import ServiceRecord

TCP = "tcp://127.0.0.1:2013"


@pytest.fixture
def socket() -> Iterator[str]:
    """The address of a Unix socket, or of what looks like one to `nearest`."""
    address = nearby.new_address()
    assert address is not None
    path(address).touch()
    yield address
    nearby.remove(address, address)


def path(address: str) -> Path:
    return Path(address.removeprefix("ipc://"))


def record(**metadata: object) -> ServiceRecord:
    return ServiceRecord("/a", TCP, ["com.foo.example"], metadata)


def test_nearest_on_this_host(socket: str) -> None:
    assert nearby.nearest(record(**nearby.metadata(socket))) == socket


def test_nearest_on_another_host(socket: str) -> None:
    assert nearby.nearest(record(ipc=socket, host="another")) == TCP


def test_nearest_where_the_socket_is_gone(socket: str) -> None:
    path(socket).unlink()
    assert nearby.nearest(record(**nearby.metadata(socket))) == TCP


@pytest.mark.parametrize("metadata", [{}, {"ipc": None}, {"ipc": 7}, nearby.metadata(None)])
def test_nearest_without_a_socket(metadata: dict[str, object]) -> None:
    assert nearby.nearest(record(**metadata)) == TCP


def test_only_its_user_can_enter_the_folder(socket: str) -> None:
    folder = path(socket).parent
    assert folder.stat().st_mode & 0o077 == 0
    folder.chmod(0o777)
    try:
        assert nearby.new_address() is None
    finally:
        folder.chmod(0o700)


def test_what_killed_processes_left_is_removed(socket: str) -> None:
    left = path(socket).with_name(f"{2**22 + 1}-{os.getpid()}")  # no process has such a number
    left.touch()
    nearby.new_address()
    assert not left.exists()
    assert path(socket).exists()


def test_link_leads_to_the_last_that_was_bound_to_an_address(socket: str) -> None:
    link, other = nearby.linked(socket, TCP), nearby.new_address()
    assert link is not None
    assert other is not None
    assert path(link).resolve() == path(socket)
    assert nearby.nearest(record(**nearby.metadata(link))) == link
    path(other).touch()
    assert nearby.linked(other, TCP) == link
    assert nearby.linked(other, f"{TCP}0") != link
    nearby.remove(socket, link)
    assert path(link).resolve() == path(other), "it is not the first one's any more"
    nearby.remove(other, link)
    assert nearby.nearest(record(**nearby.metadata(link))) == TCP
    assert not path(link).is_symlink()
    assert nearby.linked(None, TCP) is None


def test_link_belongs_to_a_network(socket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    link = nearby.linked(socket, TCP)
    monkeypatch.setattr(nearby, "_network", lambda: 7)
    other = nearby.linked(socket, TCP)
    assert link is not None
    assert other is not None
    assert link != other
    for one in (link, other):
        path(one).unlink()


def test_link_of_a_killed_process_is_removed(socket: str) -> None:
    link = nearby.linked(socket, TCP)
    assert link is not None
    path(socket).unlink()
    nearby.new_address()
    assert not path(link).is_symlink()


def test_link_is_no_longer_than_its_socket() -> None:
    """Which is as long as the path of a socket may be."""
    address = nearby.new_address()
    assert address is not None
    link = nearby.linked(address, TCP)
    assert link is not None
    assert len(link) <= len(address)
    nearby.remove(address, link)


def test_both_contexts_take_the_near_way(
    processes: helpers.Processes, nameserver: helpers.Service, runtime: Runtime
) -> None:
    processes.service("life_services", nameserver=nameserver)
    with Context(nameserver.address, runtime=runtime).locate("test.life") as component:
        assert component.address.startswith("ipc://")
        assert component.invoke("echo", {"value": 1}) == 1

    async def meanwhile() -> None:
        async with AsyncContext(nameserver.address, runtime=runtime) as context:
            located = await context.locate("test.life")
            assert located.address.startswith("ipc://")
            assert await located.invoke("echo", {"value": 1}) == 1

    asyncio.run(meanwhile())


def test_a_service_without_a_socket_is_reached_by_its_address(
    processes: helpers.Processes, nameserver: helpers.Service, runtime: Runtime
) -> None:
    service = processes.service("life_services", nameserver=nameserver, PYCOM_IPC="false")
    with Context(nameserver.address, runtime=runtime).locate("test.life") as component:
        assert component.address == service.address
