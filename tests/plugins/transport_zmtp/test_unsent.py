"""Requests that wait to be sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from pycom_core.errors import ServiceNotAvailable
from pycom_core.messages import Attachment
from pycom_plugins.transport_zmtp import unsent as module
from pycom_plugins.transport_zmtp.unsent import Unsent


class Calls:
    """Calls, each with its number as id and payload, of which some are sent."""

    def __init__(self, count: int, size: int = 10) -> None:
        self.loop = asyncio.new_event_loop()
        self.replies = {b"%d" % number: self.loop.create_future() for number in range(count)}
        self.unsent = Unsent(self.replies)
        for number, correlation in enumerate(self.replies):
            self.unsent[correlation] = [correlation.ljust(size)], float(number)
        self.loop.close()

    def batch(self) -> list[bytes]:
        """The ids of those that may leave."""
        batch, together = self.unsent.batch(frames)
        assert together == [buffer for _, buffers, _ in batch for buffer in buffers]
        return [correlation for correlation, _, _ in batch]

    def settle(self, sent: int) -> bytes | None:
        batch, _ = self.unsent.batch(frames)
        rest = self.unsent.settle(batch, sent)
        return None if rest is None else b"".join(rest)


def frames(message: Sequence[Attachment]) -> list[Any]:
    """Encode a message as its frames alone: the id, nothing, and 10 bytes."""
    return [*message]


ONE = len(b"0" + b"" + b"x" * 10)


def test_deadline_is_the_last() -> None:
    assert Calls(3).unsent.deadline() == 2.0


def test_batch_has_them_in_order_without_those_that_are_done() -> None:
    calls = Calls(4)
    calls.replies[b"1"].cancel()
    assert calls.batch() == [b"0", b"2", b"3"]
    assert len(calls.unsent) == 4


@pytest.mark.parametrize("limit", ["_BATCH", "_BUFFERS"])
def test_batch_is_full_by_bytes_or_buffers(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, limit, 2 * ONE if limit == "_BATCH" else 2 * 3)
    assert Calls(5).batch() == [b"0", b"1", b"2"]  # the last is the one that is too much


def test_one_that_is_larger_than_a_batch_leaves_alone() -> None:
    assert Calls(2, size=module._BATCH + 1).batch() == [b"0"]


@pytest.mark.parametrize(
    ("sent", "rest", "cut", "left"),
    [
        (3 * ONE, None, None, []),
        (0, b"", None, [b"0", b"1", b"2"]),
        (2 * ONE, b"", None, [b"2"]),
        (ONE + 1, b"1".ljust(10), b"1", [b"2"]),
        (2 * ONE + 5, b" " * 6, b"2", []),
    ],
)
def test_what_left_is_forgotten_and_the_rest_of_the_one_that_was_cut_is_returned(
    sent: int, rest: bytes | None, cut: bytes | None, left: list[bytes]
) -> None:
    calls = Calls(3)
    assert calls.settle(sent) == rest
    assert calls.unsent.cut == cut
    assert [*calls.unsent] == left


def test_those_that_fail_were_not_sent() -> None:
    calls = Calls(3)
    calls.replies[b"1"].set_result("early")
    del calls.unsent[b"2"]
    calls.unsent.fail("no connection")
    assert not calls.unsent
    error = calls.replies[b"0"].exception()
    assert isinstance(error, ServiceNotAvailable)
    assert (str(error), error.sent) == ("no connection", False)
    assert calls.replies[b"1"].result() == "early"
    assert not calls.replies[b"2"].done()


@pytest.mark.parametrize(("left", "lost"), [(19, b"1"), (20, None), (25, None)])
def test_call_that_was_cut_has_left_with_its_last_byte(left: int, lost: bytes | None) -> None:
    unsent = Calls(0).unsent
    unsent.cut, unsent.cut_until = b"1", 20
    assert unsent.lose_cut(left) == lost
    assert unsent.cut is None
