"""Messages over 0MQ sockets, faster than with pyzmq's own methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import zmq
from zmq.backend import Socket as _Backend

from pycom_core.messages import Attachment

# `zmq.Socket` wraps these for options that are not used here, at several times their cost; and
# pyzmq's constants are enums, whose `|` and `&` take longer than the calls themselves.
send_frame: Callable[..., Any] = _Backend.send
receive_frame: Callable[..., Any] = _Backend.recv
_get_option: Callable[..., Any] = _Backend.get
NOBLOCK, SNDMORE = int(zmq.NOBLOCK), int(zmq.SNDMORE)
_EVENTS, POLLIN, POLLOUT = int(zmq.EVENTS), int(zmq.POLLIN), int(zmq.POLLOUT)

#: Bytes from which a frame is sent without a copy; for less a copy is cheaper.
_WORTH_SHARING = 65_536


def send_frames(socket: zmq.Socket[bytes], frames: Sequence[Attachment], flags: int = 0) -> None:
    """Send one message. Raises `zmq.ZMQError`."""
    last = len(frames) - 1
    more = flags | SNDMORE
    for index, frame in enumerate(frames):
        copy = len(frame) < _WORTH_SHARING
        send_frame(socket, frame, more if index < last else flags, copy)


def receive_frames(socket: zmq.Socket[bytes], flags: int = 0) -> list[Attachment]:
    """Receive one message; large frames as views, without a copy. Raises `zmq.ZMQError`."""
    frame = receive_frame(socket, flags, False)
    frames = [_content(frame)]
    while frame.more:
        frame = receive_frame(socket, NOBLOCK, False)  # it is there already
        frames.append(_content(frame))
    return frames


def _content(frame: zmq.Frame) -> Attachment:
    return frame.bytes if len(frame) < _WORTH_SHARING else frame.buffer


def socket_events(socket: zmq.Socket[bytes]) -> int:
    """Return the current state of `zmq.POLLIN` and `zmq.POLLOUT`."""
    events: int = _get_option(socket, _EVENTS)
    return events


def receive_waiting(socket: zmq.Socket[bytes]) -> list[Attachment] | None:
    """Receive one message if one waits. Raises `zmq.ZMQError`."""
    # Asking first is cheaper than the exception.
    if not socket_events(socket) & POLLIN:
        return None
    return receive_frames(socket, NOBLOCK)
