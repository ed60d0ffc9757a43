"""A client that is in use, and forks and spawns: `forking_client.py NAMESERVER`."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pycom

NAMESERVER = os.environ.get("NAMESERVER", "")
# Processes that start and end hold up the loop, with calls in flight on it.
PATIENCE = 60_000  # ms
CONTEXT = pycom.Context(NAMESERVER, timeout=PATIENCE)
ASYNC_CONTEXT = pycom.AsyncContext(NAMESERVER, timeout=PATIENCE)


def echo(value: Any) -> Any:
    with CONTEXT.locate("test.life") as component:
        return component.invoke("echo", {"value": value})


async def echo_async(value: Any) -> Any:
    async with ASYNC_CONTEXT.locate("test.life") as component:
        return await asyncio.gather(*(component.echo(value=value) for _ in range(3)))


def both(value: Any) -> Any:
    """Return the answers that a worker gets, to a sync and to an async call."""
    return [echo(value), *asyncio.run(echo_async(value))]


def through(context: pycom.Context, value: Any) -> Any:
    """The same through a context that has travelled."""
    with context.locate("test.life") as component:
        return component.invoke("echo", {"value": value})


async def in_use() -> None:
    """Forks and spawns while the loop runs and calls are in flight."""
    flying = [asyncio.create_task(echo_async("in flight")) for _ in range(3)]
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    for way in ("fork", "spawn"):
        with ProcessPoolExecutor(2, multiprocessing.get_context(way)) as pool:
            calls = [loop.run_in_executor(pool, both, [way, number]) for number in range(4)]
            for number, answers in enumerate(await asyncio.gather(*calls)):
                assert answers == [[way, number]] * 4
    for answers in await asyncio.gather(*flying):
        assert answers == ["in flight"] * 3
    assert await echo_async("afterwards") == ["afterwards"] * 3


def main() -> None:
    assert both("before") == ["before"] * 4
    for way in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(way).Pool(2) as pool:
            assert pool.map(both, range(4)) == [[number] * 4 for number in range(4)]
            travelling = [(CONTEXT, number) for number in range(4)]
            assert pool.starmap(through, travelling) == list(range(4))
        assert both(way) == [way] * 4
    asyncio.run(in_use())
    assert both("after") == ["after"] * 4
    print("all called", file=sys.stderr)


if __name__ == "__main__":
    main()
