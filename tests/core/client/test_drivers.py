"""Drivers of conversations: one blocks, one awaits; both do the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

import pytest

from pycom_core import CallTimeout
from pycom_core.client._drivers import drive, drive_async

Talk = Generator[Any, Any, Any]
Run = Callable[[Talk], Any]


class Channel:
    """Replies with its address and the payload, and raises a payload that is an exception."""

    def __init__(self, address: str) -> None:
        self.address, self.closed = address, False

    def exchange(self, payload: Any, timeout: float) -> Any:
        if isinstance(payload, BaseException):
            raise payload
        return [self.address, *payload, timeout]

    def close(self) -> None:
        self.closed = True


class AsyncChannel(Channel):
    async def exchange(self, payload: Any, timeout: float) -> Any:
        return super().exchange(payload, timeout)


class Pool:
    """Lends channels, and keeps those that come back."""

    def __init__(self) -> None:
        self.lent: list[Channel] = []
        self.back: list[tuple[str, Channel]] = []

    def borrow(self, address: str) -> Any:
        if address == "nowhere":
            raise LookupError(address)
        self.lent.append(Channel(address))
        return self.lent[-1]

    def give_back(self, address: str, channel: Any) -> None:
        self.back.append((address, channel))

    def to(self, address: str) -> Any:
        if address == "nowhere":
            raise LookupError(address)
        return AsyncChannel(address)


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.fixture(params=["blocking", "awaiting"])
def run(request: pytest.FixtureRequest, pool: Pool) -> Run:
    if request.param == "blocking":
        return lambda talk: drive(talk, pool)
    return lambda talk: asyncio.run(drive_async(talk, pool))


def test_each_message_is_sent_and_each_reply_comes_back(run: Run) -> None:
    def talk() -> Talk:
        first = yield "one", [b"a"], 10
        second = yield "two", [b"b"], 20
        return first, second

    assert run(talk()) == (["one", b"a", 10], ["two", b"b", 20])


def test_conversation_may_send_nothing(run: Run, pool: Pool) -> None:
    def talk() -> Talk:
        return "known"
        yield

    assert run(talk()) == "known"
    assert pool.lent == []


@pytest.mark.parametrize("address", ["one", "nowhere"])
def test_failure_is_thrown_into_the_conversation_which_may_go_on(run: Run, address: str) -> None:
    def talk() -> Talk:
        try:
            yield address, OSError("lost"), 10
        except (OSError, LookupError) as error:
            return [type(error), (yield "two", [b"b"], 20)]

    failure = OSError if address == "one" else LookupError
    assert run(talk()) == [failure, ["two", b"b", 20]]


def test_failure_that_the_conversation_does_not_handle_is_raised(run: Run) -> None:
    def talk() -> Talk:
        yield "one", CallTimeout("too late"), 10

    with pytest.raises(CallTimeout, match="too late"):
        run(talk())


def test_error_of_the_conversation_itself_is_raised(run: Run) -> None:
    def talk() -> Talk:
        yield "one", [b"a"], 10
        raise ValueError("not understood")

    with pytest.raises(ValueError, match="not understood"):
        run(talk())


def test_borrowed_channel_is_given_back_after_a_reply_and_closed_after_a_failure(
    pool: Pool,
) -> None:
    def talk() -> Talk:
        yield "one", [b"a"], 10
        yield "two", OSError("lost"), 20

    with pytest.raises(OSError, match="lost"):
        drive(talk(), pool)
    good, bad = pool.lent
    assert pool.back == [("one", good)]
    assert (good.closed, bad.closed) == (False, True)
