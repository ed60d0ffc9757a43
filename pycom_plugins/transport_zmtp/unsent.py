"""Requests that wait to be sent: until it leaves, each can be taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from pycom_core.errors import ServiceNotAvailable
from pycom_core.messages import Attachment

#: Bytes and buffers that leave in one system call (IOV_MAX of Linux is 1024).
_BATCH = 262_144
_BUFFERS = 512

#: Requests that may leave together: the id of each, its buffers, and their bytes.
Batch: TypeAlias = list[tuple[bytes, list[Attachment], int]]


class Unsent(dict[bytes, tuple[Sequence[Attachment], float]]):
    """Payloads and deadlines by the ids of the calls, in the order of the calls.

    `cut`: the call of which a part has left. Its rest waits in an outbox, and has left too when
    that has sent `cut_until` bytes.
    """

    __slots__ = ("_replies", "cut", "cut_until")

    def __init__(self, replies: Mapping[bytes, asyncio.Future[Any]]) -> None:
        """`replies` are those that calls wait for, by the ids of the calls."""
        super().__init__()
        self._replies = replies
        self.cut: bytes | None = None
        self.cut_until = 0

    def deadline(self) -> float:
        """Return the last of the deadlines, in s of `time.monotonic()`."""
        return max(deadline for _, deadline in self.values())

    def batch(
        self, encode: Callable[[Sequence[Attachment]], list[Attachment]]
    ) -> tuple[Batch, list[Attachment]]:
        """Encode requests, as many as may leave at a time. Returns them, and all their buffers."""
        batch: Batch = []
        together: list[Attachment] = []
        count = 0  # bytes
        for correlation, (payload, _) in self.items():
            if self._replies[correlation].done():
                continue  # cancelled just now
            buffers = encode((correlation, b"", *payload))
            size = sum(map(len, buffers))
            batch.append((correlation, buffers, size))
            together += buffers
            count += size
            if count > _BATCH or len(together) > _BUFFERS:
                break
        return batch, together

    def settle(self, batch: Batch, sent: int) -> list[Attachment] | None:
        """Forget the requests of a batch that have left, as so many bytes of it have.

        Returns what is left of the one that was cut, perhaps nothing; None: all has left.
        """
        for correlation, buffers, size in batch:
            if sent < size:
                if not sent:
                    return []
                del self[correlation]
                self.cut = correlation
                return _rest(buffers, sent)
            del self[correlation]
            sent -= size
        return None

    def lose_cut(self, left: int) -> bytes | None:
        """Forget the call that was cut, as the connection is lost; `left` bytes have left.

        Returns it if a part of it has not left: then it never runs.
        """
        cut, self.cut = self.cut, None
        return cut if left < self.cut_until else None

    def fail(self, problem: str, cause: Exception | None = None) -> None:
        """Fail the calls, and send none of them."""
        for correlation in self:
            reply = self._replies[correlation]
            if not reply.done():
                error = ServiceNotAvailable(problem, sent=False)
                error.__cause__ = cause
                reply.set_exception(error)
        self.clear()


def _rest(buffers: Sequence[Attachment], sent: int) -> list[Attachment]:
    """Buffers without so many bytes."""
    rest: list[Attachment] = []
    for buffer in buffers:
        if sent < len(buffer):
            rest.append(memoryview(buffer)[sent:] if sent else buffer)
        sent = max(0, sent - len(buffer))
    return rest
