"""Waiting for the result of a method."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Generator
from typing import Any
from unittest.mock import AsyncMock

import pytest

from pycom_core import DeadlineExceeded, Future, Request
from pycom_core.loops._waiting import Drive, never_waits, settle, waits


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


class Awaitable:
    """Something that can be awaited and is no coroutine."""

    def __await__(self) -> Generator[Any, None, str]:
        yield from asyncio.sleep(0).__await__()
        return "awaited"


@pytest.mark.parametrize("value", [None, 1, [], "text", object(), asyncio.sleep])
def test_value_itself(value: object) -> None:
    assert not waits(value)
    assert asyncio.run(settle(value)) is value


def test_awaitables() -> None:
    async def run() -> list[Any]:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, "future")
        task = asyncio.create_task(later("task"))
        values = [later("coroutine"), Awaitable(), future, task]
        assert all(map(waits, values))
        return [await settle(value) for value in values]

    assert asyncio.run(run()) == ["coroutine", "awaited", "future", "task"]


def test_exceptions() -> None:
    async def fail() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        asyncio.run(settle(fail()))


def test_runs_in_a_task_of_its_own() -> None:
    """A foreign coroutine can use its Task, for a timeout or a name."""

    async def run() -> str:
        task = asyncio.current_task()
        assert task is not None
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.01)
        return "done"

    assert asyncio.run(settle(run())) == "done"


class Methods:
    async def plain(self) -> int:
        return 1

    async def awaits(self) -> None:
        await asyncio.sleep(0)

    async def enters(self) -> None:
        async with asyncio.Lock():
            pass

    async def loops(self) -> None:
        async for _ in self.yields():
            pass

    async def yields(self) -> AsyncIterator[int]:
        yield 1

    def sync(self) -> None:
        pass


def test_async_def_without_await_never_waits() -> None:
    assert never_waits(Methods().plain)


@pytest.mark.parametrize("name", ["awaits", "enters", "loops", "yields", "sync"])
def test_other_functions_may_wait(name: str) -> None:
    assert not never_waits(getattr(Methods(), name))


@pytest.mark.parametrize("thing", [None, AsyncMock(), functools.partial(Methods().plain)])
def test_what_has_no_code_may_wait(thing: Any) -> None:
    assert not never_waits(thing)


@pytest.mark.parametrize("when", ["before", "during", "from a thread"])
def test_future(when: str) -> None:
    future = Future(Request("com.foo", "bar"))
    if when == "before":
        future.response(1)

    async def run() -> Any:
        loop = asyncio.get_running_loop()
        if when == "during":
            loop.call_soon(future.response, 1)
        elif when == "from a thread":
            threading.Thread(target=future.response, args=[1]).start()
        return await settle(future)

    response = asyncio.run(run())
    assert (response.result, response.request) == (1, future.request)


@pytest.mark.parametrize("kind", ["coroutine", "future", "awaitable"])
def test_deadline(kind: str) -> None:
    async def run() -> None:
        waiter: Any = {
            "coroutine": lambda: asyncio.Event().wait(),
            "future": lambda: Future(Request("com.foo", "bar")),
            "awaitable": asyncio.get_running_loop().create_future,
        }[kind]()
        await settle(waiter, time.monotonic() + 0.02)

    with pytest.raises(DeadlineExceeded, match="The deadline passed while the method ran"):
        asyncio.run(run())


def test_deadline_that_is_long_ago_still_takes_what_is_there() -> None:
    async def run() -> Any:
        future = asyncio.get_running_loop().create_future()
        future.set_result(1)
        return await settle(future, time.monotonic() - 1)

    assert asyncio.run(run()) == 1


def test_in_time_leaves_no_timer() -> None:
    async def run() -> Any:
        result = await settle(later(1), time.monotonic() + 3600)
        assert not [
            handle
            for handle in asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
            if not handle.cancelled()
        ]
        return result

    assert asyncio.run(run()) == 1


def test_cancelled_from_outside_is_not_late() -> None:
    async def run() -> None:
        task = asyncio.create_task(settle(asyncio.Event().wait(), time.monotonic() + 3600))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())


def test_future_completed_after_its_deadline_is_nobodys() -> None:
    future = Future(Request("com.foo", "bar"))

    async def run() -> None:
        with pytest.raises(DeadlineExceeded):
            await settle(future, time.monotonic() + 0.01)
        future.response(1)
        await asyncio.sleep(0)

    asyncio.run(run())
    with pytest.raises(RuntimeError, match="already answered"):
        future.response(2)


# Drive.


def driven(coroutine: Coroutine[Any, None, Any]) -> Any:
    """Return the result of a coroutine that is driven from the callbacks of a loop."""
    loop = asyncio.new_event_loop()
    results: list[Any] = []

    def done(result: Any) -> None:
        results.append(result)
        loop.stop()

    loop.call_soon(Drive(coroutine, done, loop))
    loop.run_forever()
    loop.close()
    [result] = results
    return result


def test_drive_without_waiting() -> None:
    async def run() -> int:
        return 1

    assert driven(run()) == 1


def test_drive_over_futures_bare_yields_and_tasks() -> None:
    async def run() -> list[Any]:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_later(0.001, future.set_result, "future")
        await asyncio.sleep(0)
        return [await future, await settle(later("task"))]

    assert driven(run()) == ["future", "task"]


def test_drive_gives_exceptions_to_the_coroutine() -> None:
    async def run() -> str:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_exception, KeyError("lost"))
        try:
            await future
        except KeyError as error:
            return str(error)
        return "nothing"

    assert driven(run()) == "'lost'"


def test_bare_yield_after_a_cancel_gives_others_a_turn() -> None:
    """A callback that was to end a yield before the cancel ends no later one."""
    loop = asyncio.new_event_loop()
    turns: list[int] = []
    seen: list[int] = []

    async def run() -> None:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            for _ in range(3):
                await asyncio.sleep(0)
                seen.append(len(turns))

    def other() -> None:
        turns.append(1)
        loop.call_soon(other)

    def begin() -> None:
        coroutine = run()
        drive = Drive(coroutine, lambda _: loop.stop(), loop)
        drive.wait(coroutine.send(None))
        drive.cancel()
        loop.call_soon(other)

    loop.call_soon(begin)
    loop.run_forever()
    loop.close()
    assert seen == [0, 1, 2]
