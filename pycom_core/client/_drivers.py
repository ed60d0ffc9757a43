"""Drivers of conversations: one blocks, one awaits."""

from __future__ import annotations

from typing import Protocol, TypeVar

from pycom_core.client._conversations import Conversation
from pycom_core.transport import AsyncChannel, Channel

_ResultT = TypeVar("_ResultT")


class Lender(Protocol):
    """A lender of channels, each for one call."""

    def borrow(self, address: str) -> Channel:
        """A channel to an address."""

    def give_back(self, address: str, channel: Channel) -> None:
        """Take back a channel whose call is over."""


class Switchboard(Protocol):
    """A keeper of one channel to each address, for any number of calls."""

    def to(self, address: str) -> AsyncChannel:
        """The channel to an address."""


def drive(conversation: Conversation[_ResultT], lender: Lender) -> _ResultT:
    """Run a conversation on this thread. Raises what it raises."""
    try:
        address, payload, timeout = conversation.send(None)  # type: ignore[arg-type]
        while True:
            try:
                channel = lender.borrow(address)
                try:
                    reply = channel.exchange(payload, timeout)
                except BaseException:
                    # What was not sent yet must not be sent later, and a late reply must find
                    # nobody.
                    channel.close()
                    raise
                lender.give_back(address, channel)
            except BaseException as error:
                address, payload, timeout = conversation.throw(error)
            else:
                address, payload, timeout = conversation.send(reply)
    except StopIteration as stop:
        result: _ResultT = stop.value
        return result


async def drive_async(conversation: Conversation[_ResultT], channels: Switchboard) -> _ResultT:
    """Run a conversation on the running event loop. Raises what it raises."""
    try:
        address, payload, timeout = conversation.send(None)  # type: ignore[arg-type]
        while True:
            try:
                reply = await channels.to(address).exchange(payload, timeout)
            except BaseException as error:
                address, payload, timeout = conversation.throw(error)
            else:
                address, payload, timeout = conversation.send(reply)
    except StopIteration as stop:
        result: _ResultT = stop.value
        return result
