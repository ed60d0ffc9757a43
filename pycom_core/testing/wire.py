"""Frames on the wire, as they are."""

from __future__ import annotations

import json
from typing import Any

import zmq

from pycom_core import constants


class Dealer:
    """A client that sends and receives frames, without regard to their meaning.

    A context manager. Receiving raises TimeoutError after `timeout` seconds.
    """

    def __init__(self, address: str, timeout: float = 30.0) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._timeout = timeout
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(address)

    def __enter__(self) -> Dealer:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)

    def send(self, *frames: bytes) -> None:
        """Send a whole message, the delimiter included."""
        self.socket.send_multipart(frames)

    def receive(self) -> list[bytes]:
        """The next whole message."""
        if not self.socket.poll(round(self._timeout * 1000)):
            raise TimeoutError(f"no answer within {self._timeout} s")
        return self.socket.recv_multipart()

    def ask(self, *payload: bytes) -> list[bytes]:
        """The payload of the reply to a payload."""
        self.send(b"", *payload)
        delimiter, *reply = self.receive()
        assert delimiter == b"", f"no delimiter in front of {reply}"
        return reply


def answer_in(reply: list[bytes]) -> dict[str, Any]:
    """Return the response object in the payload of a reply, which must obey the protocol."""
    assert reply[:1] == [constants.PROTO_STATUS_SUCCESS], f"the server failed: {reply}"
    answer: dict[str, Any] = json.loads(reply[1])
    assert type(answer["code"]) is int, answer
    assert ("error" in answer) == (answer["code"] != 0), answer
    return answer
