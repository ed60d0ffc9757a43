"""Channels of an asyncio context: of each event loop its own."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from pycom_core.transport import AsyncChannel
from pycom_core.transport._async_pool import AsyncPool

PATIENCE = 30  # s


class Fake(AsyncChannel):
    """A channel that only knows whether it was closed."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.open = self.alive = True

    async def exchange(self, payload: Sequence[Any], timeout: float) -> list[Any]:
        raise NotImplementedError

    def is_alive(self) -> bool:
        return self.alive

    def is_open(self) -> bool:
        return self.open

    def close(self) -> None:
        self.open = False


@pytest.fixture
def pool() -> Iterator[AsyncPool]:
    pool = AsyncPool(Fake)
    yield pool
    pool.close()


async def to(pool: AsyncPool, address: str = "a") -> AsyncChannel:
    return pool.to(address)


@contextlib.contextmanager
def loop_of_a_thread() -> Iterator[Callable[[Any], Any]]:
    """Runs coroutines on a loop that a thread of its own runs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(PATIENCE)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_one_channel_for_each_loop_and_address(pool: AsyncPool) -> None:
    with loop_of_a_thread() as one, loop_of_a_thread() as other:
        channel = one(to(pool))
        assert one(to(pool)) is channel
        assert one(to(pool, "b")) is not channel
        assert other(to(pool)) is not channel
        assert one(to(pool)) is channel, "the other one has changed nothing"


def test_alive_is_what_the_channel_of_the_running_loop_is(pool: AsyncPool) -> None:
    async def is_alive() -> bool:
        return pool.is_alive("a")

    with loop_of_a_thread() as one, loop_of_a_thread() as other:
        assert not one(is_alive())
        channel = one(to(pool))
        assert one(is_alive())
        assert not other(is_alive())
        channel.alive = False
        assert not one(is_alive())


def test_any_number_of_threads(pool: AsyncPool) -> None:
    found: list[AsyncChannel] = []
    start = threading.Barrier(8)

    async def work() -> AsyncChannel:
        channels = set()
        for _ in range(50):
            channels.add(pool.to("a"))
            await asyncio.sleep(0)
        (channel,) = channels
        return channel

    def run() -> None:
        start.wait(PATIENCE)
        found.extend(asyncio.run(work()) for _ in range(10))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 80


def test_close_is_for_all_loops(pool: AsyncPool) -> None:
    with loop_of_a_thread() as one, loop_of_a_thread() as other:
        channels = [one(to(pool)), one(to(pool, "b")), other(to(pool))]
        pool.close()
        assert [channel.is_open() for channel in channels] == [False] * 3
        assert one(to(pool)).is_open(), "it may be used again"


def test_loop_that_was_closed_loses_its_channels_to_the_next(pool: AsyncPool) -> None:
    loop = asyncio.new_event_loop()
    channel = loop.run_until_complete(to(pool))
    loop.close()
    assert asyncio.run(to(pool)) is not channel
    assert not channel.is_open()


def test_loop_that_is_gone_takes_its_channels_with_it(pool: AsyncPool) -> None:
    loop = asyncio.new_event_loop()
    channel = weakref.ref(loop.run_until_complete(to(pool)))
    loop.close()
    del loop
    gc.collect()
    assert channel() is None


def test_forked_child_leaves_its_parents_channels_alone(
    pool: AsyncPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with loop_of_a_thread() as one:
        channel = one(to(pool))
        monkeypatch.setattr(os, "getpid", lambda: -1)
        assert one(to(pool)) is not channel
        pool.close()
        assert channel.is_open()


def test_dropped_while_open_warns_and_lets_go(collect: Callable[[], object]) -> None:
    pool: Any = AsyncPool(Fake)
    pool.itself = pool  # so that the collector has to come
    with loop_of_a_thread() as one:
        channels = [one(to(pool, address)) for address in ("tcp://b:1", "tcp://a:1")]
        del pool
        with pytest.warns(ResourceWarning, match="not closed, .* to tcp://a:1, tcp://b:1; use"):
            collect()
        assert not any(channel.is_open() for channel in channels)


@pytest.mark.parametrize("kind", ["never used", "nothing open", "closed", "loop is gone", "child"])
def test_dropped_without_a_word(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = AsyncPool(Fake)
    with warnings.catch_warnings(), loop_of_a_thread() as one:
        warnings.simplefilter("error")
        if kind == "loop is gone":
            asyncio.run(to(pool))
        elif kind != "never used":
            one(to(pool)).open = kind != "nothing open"
        if kind == "closed":
            pool.close()
        elif kind == "child":
            monkeypatch.setattr(os, "getpid", lambda: -1)
        del pool
        gc.collect()  # what is raised there would fail the test, too
