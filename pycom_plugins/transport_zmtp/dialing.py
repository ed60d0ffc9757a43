"""Connecting from an event loop, up to the end of the handshake."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

from pycom_plugins.transport_zmtp.engine import Connection, Event, ProtocolError, Ready
from pycom_plugins.transport_zmtp.places import FULL, Place, check_connected, tune

_ROOM = 65_536


async def dial(
    found: Sequence[Place], connection: Callable[[], Connection], seconds: float
) -> tuple[socket.socket, Connection, Ready]:
    """Connect to the first place that takes it, and shake hands.

    A place that keeps silent has its share of the `seconds`, the last one for as long as its
    caller likes. Raises OSError, `ProtocolError`.
    """
    failure: Exception = ConnectionError("it has no address")
    for number, place in enumerate(found, 1):
        share = seconds / len(found) if number < len(found) else None
        try:
            return await _dial(place, connection(), share)
        except (OSError, ProtocolError) as error:
            failure = error
    raise failure


async def _dial(
    place: Place, connection: Connection, seconds: float | None
) -> tuple[socket.socket, Connection, Ready]:
    made = place.socket()
    try:
        await _connect(place, made, seconds)
        await _send(made, connection.greeting())
        events: list[Event] = []
        while not connection.ready:
            events += connection.receive(await _receive(made))
            await _send(made, connection.outgoing())
    except BaseException:
        made.close()
        raise
    ready = next(event for event in events if isinstance(event, Ready))
    return made, connection, ready


async def _connect(place: Place, made: socket.socket, seconds: float | None) -> None:
    while True:
        try:
            made.connect(place.where)
            break
        except BlockingIOError:
            if not place.is_of_host:
                await _until_writable(made, seconds)
                break
            await asyncio.sleep(FULL)
    check_connected(made)
    tune(made)


async def _send(made: socket.socket, data: bytes) -> None:
    while data:
        try:
            data = data[made.send(data) :]
        except BlockingIOError:
            await _until_writable(made)


async def _receive(made: socket.socket) -> bytes:
    while True:
        try:
            data = made.recv(_ROOM)
        except BlockingIOError:
            await _until_readable(made)
            continue
        if not data:
            raise ConnectionResetError("the connection ended in its handshake")
        return data


# Not the loop's own `sock_connect` and the like: uvloop closes their sockets later than it is told.


async def _until_readable(made: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(made, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(made)


async def _until_writable(made: socket.socket, seconds: float | None = None) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_writer(made, _settle, ready)
    timer = None if seconds is None else loop.call_later(seconds, _expire, ready)
    try:
        await ready
    finally:
        loop.remove_writer(made)
        if timer is not None:
            timer.cancel()


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _expire(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_exception(TimeoutError("no answer"))
