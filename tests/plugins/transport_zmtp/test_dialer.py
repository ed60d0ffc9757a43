"""Connections that are made, or not, while calls wait for them."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import helpers
import pytest
from awaited import awaited, comes_true
from zmtp_channels import AMPLE, assert_idle, begin, connected, replies, wire
from zmtp_servers import descriptors, doing, fails, listening, router

from pycom_plugins.transport_zmtp import places


@awaited
async def test_address_that_refuses(tmp_path: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    for address, why in (
        (f"tcp://127.0.0.1:{port}", "Connection refused"),
        (f"ipc://{tmp_path}/nobody", "No such file"),
    ):
        with connected(address) as channel:
            for call in [begin(channel) for _ in range(10)]:
                with fails(sent=False, match=why):
                    await call
            assert_idle(channel)
            assert not channel.is_open()


@awaited
async def test_connection_to_itself_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with (
        connected(f"tcp://127.0.0.1:{port};127.0.0.1:{port}") as channel,
        fails(sent=False, match="Connection refused"),
    ):
        await channel.exchange([b"CALL"], AMPLE)


@pytest.mark.parametrize("stage", range(3))
@awaited
async def test_silence_in_the_handshake(stage: int) -> None:
    with listening() as server, connected(server.address) as channel:
        before = descriptors()
        for _ in range(2):
            call = begin(channel, timeout=100)
            made = await asyncio.to_thread(server.accept)
            made.sendall(router().greeting()[: (0, 20, 64)[stage]])
            with fails(
                sent=False, match="within 100 ms: the connection was not ready in time", late=True
            ):
                await call
            await comes_true(lambda: descriptors() <= before + len(server.accepted))
            assert_idle(channel)
        late = begin(channel)
        await replies(await wire(server), b"right")
        assert await late == [b"OK", b"right"]


@awaited
async def test_connecting_begins_anew_for_calls_with_more_time() -> None:
    with listening() as server, connected(server.address) as channel:
        short = begin(channel, timeout=100)
        silent = await asyncio.to_thread(server.accept)
        long = begin(channel, b"long")
        with fails(sent=False, late=True):
            await short
        assert await asyncio.to_thread(silent.recv, 1000) == router().greeting()
        assert await asyncio.to_thread(silent.recv, 1000) == b""
        await replies(await wire(server))
        assert await long == [b"OK", b"long"]


@awaited
async def test_full_queue_of_a_path(tmp_path: Any) -> None:
    path = str(tmp_path / "socket")
    with listening(0, socket.AF_UNIX, path) as server, socket.socket(socket.AF_UNIX) as filler:
        filler.connect(path)
        with connected(server.address) as channel:
            with fails(sent=False, match="the connection was not ready in time", late=True):
                await channel.exchange([b"CALL"], 50)
            call = begin(channel)
            await asyncio.to_thread(server.accept)
            await replies(await wire(server), b"fine")
            assert await call == [b"OK", b"fine"]


# Look-ups.


def test_slow_look_up_holds_up_neither_the_loop_nor_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = threading.Event()

    def slow(address: str) -> Any:
        found.wait(helpers.PATIENCE)
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    @awaited
    async def calls() -> None:
        with (
            connected("tcp://slow.example:1") as channel,
            fails(
                sent=False, match="within 50 ms: the connection was not ready in time", late=True
            ),
        ):
            await channel.exchange([b"CALL"], 50)

    monkeypatch.setattr(places, "look_up", slow)
    calls()
    assert not found.is_set()
    found.set()


@awaited
async def test_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(address: str) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(places, "look_up", unknown)
    with (
        connected("tcp://nowhere.example:1") as channel,
        fails(sent=False, match="the host name cannot be resolved"),
    ):
        await channel.exchange([b"CALL"], AMPLE)


@awaited
async def test_second_place_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as server, listening() as gone, listening() as other:
        gone.close()
        here = [places.Place(socket.AF_INET, ("127.0.0.1", one.port)) for one in (other, server)]
        refuses = places.Place(socket.AF_INET, ("127.0.0.1", gone.port))
        monkeypatch.setattr(places, "look_up", lambda _: [refuses, *here])
        with (
            connected("tcp://many.example:1") as channel,
            doing(lambda: other.accept().sendall(b"HTTP/1.1 400\r\n")),
        ):
            call = begin(channel)
            await replies(await wire(server), b"fine")
            assert await call == [b"OK", b"fine"]
