"""Services that wait until they are told to go on, and that call each other."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import pycom


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")  # in one piece, as others write there too
    sys.stderr.flush()


@pycom.interface("test.life")
class Life(pycom.Service):
    def __init__(self) -> None:
        self.notes: list[str] = []

    @pycom.method
    def echo(self, request: Any, value: Any) -> Any:
        return value

    @pycom.method
    def process(self, request: Any) -> int:
        return os.getpid()

    @pycom.method
    def hold(self, request: Any, gate: str) -> str:
        """Wait until somebody writes into the FIFO `gate`, and return the text."""
        say("holding")
        with open(gate) as pipe:
            return pipe.read()

    @pycom.method
    def hold_and_send(self, request: Any, gate: str) -> Any:
        """The same, for an attachment of 10 MB."""
        self.hold(request, gate)
        return request.response(None, attachment=bytes(10**7))

    @pycom.method
    async def hold_async(self, request: Any, gate: str) -> str:
        say("holding")
        descriptor = os.open(gate, os.O_RDONLY | os.O_NONBLOCK)
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(descriptor, readable.set)
        try:
            await readable.wait()
            return os.read(descriptor, 1000).decode()
        except asyncio.CancelledError:
            say("cancelled")
            raise
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    @pycom.method
    def note(self, request: Any, text: str) -> None:
        self.notes.append(text)

    @pycom.method
    def noted(self, request: Any) -> list[str]:
        return self.notes

    @pycom.method
    def large(self, request: Any) -> Any:
        return request.response(None, attachment=bytes(10**7))


@pycom.interface("test.relay")
class Relay(pycom.Service):
    """Calls whatever it is told to, from within a call."""

    @pycom.method
    def sync(self, request: Any, interface: str, method: str, value: Any) -> Any:
        with request.context().locate(interface) as component:
            return component.invoke(method, value)

    @pycom.method("async")
    async def async_(self, request: Any, interface: str, method: str, value: Any) -> Any:
        await asyncio.sleep(0)
        with request.context().locate(interface) as component:
            return component.invoke(method, value)

    @pycom.method
    async def echo(self, request: Any, value: Any) -> Any:
        await asyncio.sleep(0)
        return value
