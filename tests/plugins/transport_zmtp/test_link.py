"""Bytes for one client, which are sent as fast as it reads them."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import pytest
from helpers import until
from zmtp_stage import Stage, echo, lines

from pycom_core.messages import Delivery

MiB = 1024 * 1024
pytestmark = pytest.mark.usefixtures("all_lines")


# Clients that read slowly.


@pytest.mark.parametrize("size", [1000, MiB])
def test_who_reads_nothing_loses_the_connection(
    size: int, make_loop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    body = b"x" * size

    def answer(delivery: Delivery) -> None:
        assert delivery.reply is not None
        is_asked = bytes(delivery.frames[-1]) == b"big"
        delivery.reply([*delivery.frames[:-2], b"OK", body if is_asked else b"small"])

    with (
        Stage(answer, loop=make_loop, queued=4 * MiB, stalled=0.3) as stage,
        stage.client() as slow,
        stage.client() as other,
    ):
        most = 0
        batch = [b"big"] * 100

        def unsent() -> int:
            return sum(served.unsent for served in stage.listener._connections)

        def ask() -> None:
            with contextlib.suppress(OSError):
                while True:
                    slow.begin(*batch)

        feeder = threading.Thread(target=ask)
        feeder.start()
        while stage.connections() == 2:
            assert other.ask(b"") == b"small"
            most = max(most, stage.within(unsent))
        feeder.join()
        assert 0 < most <= 2 * MiB + max(size, 65536) * 2
        [line] = lines(caplog)
        assert line.endswith(" does not read: its connection is closed")


def test_who_reads_slowly_is_served_at_this_pace() -> None:
    with Stage(queued=2 * MiB, stalled=1.0) as stage, stage.client() as slow:
        body = b"x" * MiB
        feeder = threading.Thread(target=slow.begin, args=[body] * 75)
        feeder.start()
        for _ in range(75):  # longer than it may take nothing
            time.sleep(0.02)
            assert slow.message()[-1] == body
        feeder.join()


def test_requests_go_on_before_all_is_read() -> None:
    with Stage(queued=8 * MiB) as stage, stage.client() as slow:
        body = b"x" * (MiB // 2)
        feeder = threading.Thread(target=slow.begin, args=[body] * 60)
        feeder.start()
        until(lambda: stage.within(lambda: any(o.is_slow for o in stage.listener._connections)))
        ran = len(stage.ran)
        for read in range(60):
            assert slow.message()[-1] == body
            if read == 4:
                until(lambda: len(stage.ran) > ran)
        feeder.join()


def test_reply_may_be_larger_than_what_may_wait() -> None:
    with Stage(queued=MiB) as stage, stage.client() as client:
        body = b"x" * (20 * MiB)
        assert client.ask(body) == body


def test_replies_that_come_at_once_are_limited_together(
    caplog: pytest.LogCaptureFixture,
) -> None:
    waiting: list[Delivery] = []
    with Stage(waiting.append, queued=4 * MiB) as stage, stage.client() as client:
        client.begin(*[b"x"] * 100)
        until(lambda: len(waiting) == 100)

        def answer_all() -> None:
            for delivery in waiting:
                delivery.reply([*delivery.frames[:-2], b"OK", b"x" * MiB])  # type: ignore[misc]

        stage.within(answer_all)
        until(lambda: not stage.connections())
        assert client.is_ended()
    assert [line.rpartition(":")[2] for line in lines(caplog)] == [
        " its connection is closed",
        " it is gone",
    ]


def test_replies_that_come_at_once_may_be_more_than_may_wait() -> None:
    waiting: list[Delivery] = []
    body = b"x" * 60_000
    with Stage(waiting.append, queued=100_000) as stage, stage.client() as client:
        client.begin(*[b"x"] * 3)
        until(lambda: len(waiting) == 3)

        def answer_all() -> None:
            for delivery in waiting:
                delivery.reply([*delivery.frames[:-2], b"OK", body])  # type: ignore[misc]

        stage.within(answer_all)
        assert [client.message()[-1] for _ in range(3)] == [body] * 3


def test_dropped_replies_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    waiting: list[Delivery] = []
    with Stage(waiting.append) as stage, stage.client() as client:
        client.begin(*[b"x"] * 100)
        until(lambda: len(waiting) == 100)
        client.sock.close()
        until(lambda: not stage.connections())
        for delivery in waiting:
            stage.within(lambda d=delivery: echo(d))  # type: ignore[misc]
        stage.within(lambda: None)
    assert len(lines(caplog)) == 1
