"""Timers that keep nothing alive."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from pycom_plugins.transport_zmtp.later import Later


class Owner:
    def __init__(self) -> None:
        self.calls = 0
        self.later = Later(self.call)

    def call(self) -> None:
        self.calls += 1


@pytest.fixture
def loop() -> Any:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def test_it_calls_once_for_each_start(loop: Any) -> None:
    owner = Owner()
    for count in (1, 2):
        owner.later.start(loop, 0)
        owner.later.start(loop, 0)
        assert owner.later.is_started
        loop.run_until_complete(asyncio.sleep(0.01))
        assert owner.calls == count
        assert not owner.later.is_started


def test_earlier_timer_does_not_call_for_a_later_one(loop: Any) -> None:
    owner = Owner()
    owner.later.start(loop, 0)
    owner.later.stop()
    owner.later.start(loop, 3600)
    loop.run_until_complete(asyncio.sleep(0.01))
    assert owner.calls == 0
    assert owner.later.is_started


def test_start_while_it_is_started_does_not_put_it_off(loop: Any) -> None:
    owner = Owner()
    owner.later.start(loop, 0)
    owner.later.start(loop, 3600)
    loop.run_until_complete(asyncio.sleep(0.01))
    assert owner.calls == 1


def test_timer_that_outlives_its_owner_calls_nobody(loop: Any) -> None:
    failures: list[Any] = []
    loop.set_exception_handler(lambda _loop, context: failures.append(context))
    owner = Owner()
    later = owner.later
    later.start(loop, 0)
    del owner
    loop.run_until_complete(asyncio.sleep(0.01))
    assert not later.is_started
    assert failures == []


def test_owner_goes_while_it_is_started(loop: Any) -> None:
    gc.disable()
    try:
        owner = Owner()
        owner.later.start(loop, 0)
        gone = weakref.ref(owner)
        del owner
        assert gone() is None
    finally:
        gc.enable()
    loop.run_until_complete(asyncio.sleep(0.01))


def test_loop_goes_while_it_is_started() -> None:
    owner, loop = Owner(), asyncio.new_event_loop()
    owner.later.start(loop, 3600)
    loop.close()
    gone = weakref.ref(loop)
    del loop
    gc.collect()
    assert gone() is None
    assert owner.later.is_started
