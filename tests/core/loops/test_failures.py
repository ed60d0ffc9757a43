"""Failures of a call, told from exceptions that are none."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from pycom_core.loops._failures import Cancelled, handle_on_loop, is_failure, of_signal, of_task


@pytest.fixture
def handle() -> Iterator[Callable[[int, Any], None]]:
    """Sets handlers of signals, for this test alone."""
    before: list[tuple[int, Any]] = []

    def set_handler(number: int, handler: Any) -> None:
        before.append((number, signal.signal(number, handler)))

    yield set_handler
    for number, handler in reversed(before):
        signal.signal(number, handler)


def caught(function: Callable[[], Any]) -> BaseException:
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def raising(error: BaseException) -> Callable[..., Any]:
    def function(*_: Any) -> None:
        raise error

    return function


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        SystemExit(2),
        GeneratorExit(),
        StopIteration(),
        asyncio.CancelledError(),
        type("Timeout", (BaseException,), {})(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_exception_is_a_failure(error: BaseException) -> None:
    assert is_failure(caught(raising(error)))


def test_cancellation_of_the_call_is_none() -> None:
    assert not is_failure(Cancelled())
    assert isinstance(Cancelled(), asyncio.CancelledError)


def test_keyboard_interrupt_is_ctrl_c_where_the_interpreter_handles_it(
    handle: Callable[[int, Any], None],
) -> None:
    handle(signal.SIGINT, signal.default_int_handler)
    assert of_signal(caught(lambda: signal.raise_signal(signal.SIGINT)))
    assert is_failure(caught(raising(KeyboardInterrupt()))), "the same exception, from elsewhere"
    handle(signal.SIGINT, lambda *_: None)
    assert is_failure(caught(raising(KeyboardInterrupt())))


class Handler:
    def handle(self, number: int, frame: FrameType | None) -> None:
        sys.exit(number)


class Leaver:
    def __call__(self, number: int, frame: FrameType | None) -> None:
        sys.exit(number)


def leave(number: int, frame: FrameType | None) -> None:
    Handler().handle(number, frame)


@pytest.mark.parametrize(
    "handler",
    [leave, Handler().handle, functools.partial(leave), lambda *_: sys.exit(3)],
    ids=["plain", "bound", "partial", "any arguments"],
)
def test_exit_in_a_handler_is_for_the_process(
    handler: Any, handle: Callable[[int, Any], None]
) -> None:
    handle(signal.SIGTERM, handler)
    assert of_signal(caught(lambda: signal.raise_signal(signal.SIGTERM)))
    assert is_failure(caught(sys.exit)), "the same exception, from elsewhere"


def test_handler_that_is_called_by_hand_is_part_of_who_calls_it(
    handle: Callable[[int, Any], None],
) -> None:
    def stop(number: int | None = None, frame: FrameType | None = None) -> None:
        sys.exit(3)

    handle(signal.SIGTERM, stop)
    assert is_failure(caught(stop))
    assert is_failure(caught(lambda: stop(signal.SIGTERM, None)))
    assert of_signal(caught(lambda: signal.raise_signal(signal.SIGTERM)))


def test_handler_that_raises_an_ordinary_exception_makes_the_call_fail(
    handle: Callable[[int, Any], None],
) -> None:
    handle(signal.SIGUSR1, raising(TimeoutError("too slow")))
    assert is_failure(caught(lambda: os.kill(os.getpid(), signal.SIGUSR1)))


def test_no_signal_is_handled_in_another_thread(handle: Callable[[int, Any], None]) -> None:
    handle(signal.SIGINT, signal.default_int_handler)
    seen: list[bool] = []
    thread = threading.Thread(target=lambda: seen.append(of_signal(KeyboardInterrupt())))
    thread.start()
    thread.join()
    assert seen == [False]


def test_exit_in_a_handler_on_a_loop_is_for_the_process() -> None:
    assert of_signal(caught(lambda: handle_on_loop(sys.exit, 3)))


def test_exception_of_a_task() -> None:
    async def leave() -> None:
        sys.exit()

    assert of_task(caught(lambda: asyncio.run(leave())))
    assert not of_task(caught(sys.exit))
