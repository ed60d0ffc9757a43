"""A service to measure."""

import asyncio
import itertools
from typing import Any

import pycom


@pycom.interface("com.foo.benched")
class Benched(pycom.Service):
    """Counts, waits and fails."""

    serial = itertools.count(1)
    waiting = most = 0

    @pycom.method
    def count(self, request: Any) -> int:
        return next(self.serial)

    @pycom.method
    async def wait(self, request: Any, seconds: float) -> None:
        Benched.waiting += 1
        Benched.most = max(self.most, self.waiting)
        try:
            await asyncio.sleep(seconds)
        finally:
            Benched.waiting -= 1

    @pycom.method
    def most_at_once(self, request: Any) -> int:
        most, Benched.most = self.most, 0
        return most

    @pycom.method
    def waiting_now(self, request: Any) -> int:
        return self.waiting

    @pycom.method
    def fail_in_turn(self, request: Any) -> None:
        if next(self.serial) % 2:
            raise pycom.AccessDenied("not now")
        raise ValueError("never")

    @pycom.method
    def caller(self, request: Any, name: str) -> str:
        if not isinstance(name, str):
            raise TypeError(name)
        return name
