"""The kernel's uses of private names of asyncio, on each loop that services run on."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

import pycom_core
from pycom_core.loops._eventloop import new_event_loop
from pycom_core.loops._private import claim, running_loop, set_aside

KINDS = ["asyncio", *["uvloop"] * (importlib.util.find_spec("uvloop") is not None)]


@pytest.fixture(params=KINDS)
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    loop = new_event_loop(request.param)
    yield loop
    loop.close()


def test_the_loop_that_runs_here(loop: asyncio.AbstractEventLoop) -> None:
    async def inside() -> asyncio.AbstractEventLoop | None:
        return running_loop()

    assert running_loop() is None
    assert loop.run_until_complete(inside()) is loop
    assert running_loop() is None


def test_another_loop_runs_while_this_one_waits(loop: asyncio.AbstractEventLoop) -> None:
    async def inner() -> asyncio.AbstractEventLoop | None:
        await asyncio.sleep(0)
        return running_loop()

    async def outer() -> None:
        other = asyncio.new_event_loop()
        with set_aside():
            assert running_loop() is None
            assert other.run_until_complete(inner()) is other
        other.close()
        assert running_loop() is loop
        await asyncio.sleep(0)  # and it goes on

    loop.run_until_complete(outer())


def test_the_loop_is_back_after_an_exception(loop: asyncio.AbstractEventLoop) -> None:
    async def outer() -> None:
        with pytest.raises(ValueError, match="mine"), set_aside():
            raise ValueError("mine")
        assert running_loop() is loop

    loop.run_until_complete(outer())


def test_a_future_that_a_coroutine_waits_for_is_claimed(loop: asyncio.AbstractEventLoop) -> None:
    future = loop.create_future()

    async def waiting() -> int:
        return 1 + await future

    coroutine = waiting()
    assert coroutine.send(None) is future
    claim(future)
    other = waiting()
    assert other.send(None) is future  # otherwise the error is that it did not use `await`
    other.close()
    future.set_result(2)
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    assert stop.value.value == 3


def test_private_names_stand_in_one_module() -> None:
    root = Path(pycom_core.__file__).parent
    found = [
        path.name
        for path in root.rglob("*.py")
        if "asyncio._" in path.read_text() or "_asyncio_" in path.read_text()
    ]
    assert found == ["_private.py"]
