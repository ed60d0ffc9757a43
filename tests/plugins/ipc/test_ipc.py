"""Services of the same host: which way leads to one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import helpers
import pytest

from pycom_core import (
    AsyncContext,
    Context,
    LocalTransport,
    Runtime,
    ServiceRecord,
    ServiceServer,
    Settings,
)
from pycom_core.host import boot_id
from pycom_plugins.ipc import sockets
from pycom_plugins.ipc.plugin import Ipc
from pycom_plugins.ipc.sockets import Place

TCP = "tcp://127.0.0.1:2013"


@pytest.fixture
def place() -> Iterator[Place]:
    """A place with what looks like a socket."""
    place = new_place()
    yield place
    place.remove()


def new_place(bound: str = TCP) -> Place:
    place = sockets.new_place(bound)
    assert place is not None
    path(place.socket).touch()
    return place


def path(address: str) -> Path:
    return Path(address.removeprefix("ipc://"))


def nearest(**metadata: object) -> str:
    """The address by which a service with such a record is reached."""
    record = ServiceRecord("/a", TCP, ["com.foo.example"], metadata)
    return Ipc().pycom_address(record) or record.address


def test_nearest_on_this_host(place: Place) -> None:
    assert nearest(ipc=place.socket, host=boot_id()) == place.socket
    place.link()
    assert place.address != place.socket
    assert nearest(ipc=place.address, host=boot_id()) == place.address


def test_nearest_on_another_host(place: Place) -> None:
    assert nearest(ipc=place.socket, host="another") == TCP


def test_nearest_where_the_socket_is_gone(place: Place) -> None:
    path(place.socket).unlink()
    assert nearest(ipc=place.socket, host=boot_id()) == TCP


@pytest.mark.parametrize("metadata", [{}, {"ipc": None}, {"ipc": 7}, {"host": boot_id()}])
def test_nearest_without_a_socket(metadata: dict[str, object]) -> None:
    assert nearest(**metadata) == TCP


def test_only_its_user_can_enter_the_folder(place: Place) -> None:
    folder = path(place.socket).parent
    assert folder.stat().st_mode & 0o077 == 0
    folder.chmod(0o777)
    try:
        assert sockets.new_place(TCP) is None
    finally:
        folder.chmod(0o700)


def test_what_killed_processes_left_is_removed(place: Place) -> None:
    left = path(place.socket).with_name(f"{2**22 + 1}-{os.getpid()}")  # no process has that number
    left.touch()
    sockets.new_place(TCP)
    assert not left.exists()
    assert path(place.socket).exists()


def test_link_leads_to_the_last_that_was_bound_to_an_address(place: Place) -> None:
    other = new_place()
    place.link()
    link = place.address
    assert path(link).resolve() == path(place.socket)
    other.link()
    assert other.address == link
    assert place.address == place.socket, "the link is another's now"
    place.remove()
    assert path(link).resolve() == path(other.socket)
    other.remove()
    assert not path(link).is_symlink()


def test_link_belongs_to_an_address_and_a_network(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = new_place(f"{TCP}0")
    monkeypatch.setattr(sockets, "_network", lambda: 7)
    contained = new_place()
    for one in (place, elsewhere, contained):
        one.link()
    assert len({place.address, elsewhere.address, contained.address}) == 3
    for one in (elsewhere, contained):
        one.remove()


def test_link_of_a_killed_process_is_removed(place: Place) -> None:
    place.link()
    link = path(place.address)
    path(place.socket).unlink()
    sockets.new_place(TCP)
    assert not link.is_symlink()


def test_link_is_no_longer_than_its_socket(place: Place) -> None:
    """The path of the socket is as long as the system allows."""
    place.link()
    assert len(place.address) <= len(place.socket)


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


# Servers that have none.


@pytest.mark.parametrize("address", ["ipc:///tmp/pycom-test-ipc-{}", "inproc://test-ipc-{}"])
def test_socket_is_only_beside_tcp(address: str, runtime: Runtime) -> None:
    server = ServiceServer([address.format(os.getpid())], [], runtime)
    record = ServiceRecord("/a", server.addresses[0], [])
    Ipc().pycom_record(server, record)
    assert (len(server.addresses), record.metadata) == (1, {})
    server.close()


def test_socket_is_only_where_a_transport_serves_it() -> None:
    network = Runtime(Settings(), transport=LocalTransport())
    server = ServiceServer(["tcp://service:1"], [], network)
    record = ServiceRecord("/a", server.addresses[0], [])
    Ipc().pycom_record(server, record)
    assert (server.addresses, record.metadata) == (["tcp://service:1"], {})
    network.close()
