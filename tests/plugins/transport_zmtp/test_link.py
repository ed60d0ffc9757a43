"""Bytes for one client, which are sent as fast as it reads them."""

from __future__ import annotations

import contextlib
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from helpers import until
from zmtp_stage import Stage, echo, lines

from pycom_core.messages import Delivery
from pycom_plugins.transport_zmtp import link as module

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


def answer(deliveries: list[Delivery], body: bytes) -> None:
    """Answer some requests at once."""
    for delivery in deliveries:
        assert delivery.reply is not None
        delivery.reply([*delivery.frames[:-2], b"OK", body])


def test_replies_that_come_at_once_reach_who_reads(make_loop: Any) -> None:
    waiting: list[Delivery] = []
    with (
        Stage(waiting.append, loop=make_loop, queued=4 * MiB) as stage,
        stage.client() as client,
    ):
        client.begin(*[b"x"] * 100)
        until(lambda: len(waiting) == 100)
        stage.within(lambda: answer(waiting, b"x" * MiB))
        for _ in range(100):
            assert len(client.message()[-1]) == MiB


def test_who_has_most_waiting_makes_room_for_all(
    make_loop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    waiting: list[Delivery] = []
    with (
        Stage(waiting.append, loop=make_loop, queued=200 * MiB, queued_in_all=80 * MiB) as stage,
        stage.client() as first,
        stage.client() as second,
    ):
        for client, size in ((first, 60 * MiB), (second, 40 * MiB)):
            client.begin(b"x")
            until(lambda: waiting)
            stage.within(lambda size=size: answer([waiting.pop()], b"x" * size))  # type: ignore[misc]
        until(lambda: stage.connections() == 1)
        assert len(second.message()[-1]) == 40 * MiB
        [line] = lines(caplog)
        assert f"wait for tcp://127.0.0.1:{first.sock.getsockname()[1]}, and too many" in line
        until(lambda: not stage.listener._unsent)
        second.begin(b"x")
        until(lambda: waiting)
        stage.within(lambda: answer(waiting, b"x" * 60 * MiB))
        assert len(second.message()[-1]) == 60 * MiB


def test_what_waited_for_a_client_goes_with_its_connection() -> None:
    body = bytearray(60 * MiB)
    waiting: list[Delivery] = []
    with Stage(waiting.append) as stage, stage.client() as client:
        client.begin(b"x", b"goes on")
        until(lambda: len(waiting) == 2)
        stage.within(lambda: answer(waiting[:1], body))
        del waiting[0]
        until(lambda: stage.listener._unsent)
        with pytest.raises(BufferError):
            body.append(0)  # it is sent as it is
        client.reset()
        until(lambda: not stage.connections())
        stage.within(lambda: None)
        body.append(0)


def test_time_of_who_reads_nothing_begins_when_it_last_took_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    with Stage(queued=MiB, stalled=100.0) as stage, stage.client() as client:
        [served] = stage.listener._connections
        client.begin(b"x" * (40 * MiB))
        until(lambda: served.is_slow)
        stage.within(served.flush)  # the system takes what it has room for
        before = served._outbox.sent
        now = 1050.0
        while served._outbox.sent == before:
            client.sock.recv(MiB)
        stage.within(served.flush)
        for later, is_over in ((1149.0, False), (1150.0, True)):
            now = later
            stage.within(served._check_stall)
            assert served.is_over is is_over


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
