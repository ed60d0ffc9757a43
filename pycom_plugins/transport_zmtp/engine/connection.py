"""One connection, as a state machine without I/O."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from pycom_core.messages import Attachment
from pycom_plugins.transport_zmtp.engine import commands, framing, greeting, properties
from pycom_plugins.transport_zmtp.engine.errors import ProtocolError, Refused
from pycom_plugins.transport_zmtp.engine.events import Event, Message, Ping, Pong, TooBig
from pycom_plugins.transport_zmtp.engine.framing import COMMAND, LARGE, LONG, MORE
from pycom_plugins.transport_zmtp.engine.handshake import MOST, Handshake, check_socket_type
from pycom_plugins.transport_zmtp.engine.mechanism import Mechanism
from pycom_plugins.transport_zmtp.engine.storage import Storage

_TRAFFIC, _HANDSHAKE, _BODY, _OVER = range(4)
_CONTEXT = 16


class Connection:
    """ZMTP 3 with one peer: give it what was received, send what it gives.

    `socket_type`: DEALER or ROUTER. `mechanism`: made for this connection. `as_server`: this side
    was connected to. `metadata`: properties for the peer, whose names begin with `X-`.
    `max_message_size`, `max_frame_size`: bytes of all frames of a message, and of one; None: no
    limit. `max_frames`: of a message. `max_commands`: that are received at once. `storage`: for
    large bodies; connections of one thread may share it. Raises ValueError for arguments that
    cannot be sent.
    """

    __slots__ = (
        "_body",
        "_commands",
        "_filled",
        "_flags",
        "_frames",
        "_handshake",
        "_max_commands",
        "_max_frame",
        "_max_frames",
        "_max_size",
        "_mechanism",
        "_needed",
        "_out",
        "_pingable",
        "_refusable",
        "_rest",
        "_sealed",
        "_size",
        "_stage",
        "_storage",
        "ready",
    )

    def __init__(
        self,
        socket_type: str,
        mechanism: Mechanism,
        *,
        as_server: bool = False,
        metadata: Mapping[str, bytes] = {},
        routing_id: bytes = b"",
        max_message_size: int | None = None,
        max_frame_size: int | None = None,
        max_frames: int = 1024,
        max_commands: int | None = None,
        storage: Storage | None = None,
    ) -> None:
        check_socket_type(socket_type)
        if len(routing_id) > 255 or routing_id.startswith(b"\0"):
            raise ValueError("A routing id has up to 255 bytes, of which the first is not zero")
        for name in metadata:
            if not name.startswith("X-"):
                raise ValueError(f"Properties of an application are named X-..., not {name!r}")
        own = {"Socket-Type": socket_type.encode(), "Identity": routing_id, **metadata}
        self.ready = False
        self._pingable = False
        self._stage = _HANDSHAKE
        self._mechanism = mechanism
        self._sealed = mechanism.overhead > 0
        self._max_size = sys.maxsize if max_message_size is None else max_message_size
        self._max_frame = sys.maxsize if max_frame_size is None else max_frame_size
        self._max_frames = max_frames
        self._max_commands = sys.maxsize if max_commands is None else max_commands
        self._storage = storage or Storage()
        self._out = bytearray()
        self._refusable = mechanism.may_refuse
        self._commands = 0  # in the piece under way
        self._handshake: Handshake | None = Handshake(
            socket_type, mechanism, as_server, properties.encode(own), self._out
        )
        # Bytes of a frame that is not complete, and how many it has in all as far as is known.
        self._rest = bytearray()
        self._needed = 0
        # The message under way, and its bytes.
        self._frames: Message = []
        self._size = 0
        # The large body under way.
        self._body = memoryview(b"")
        self._filled = 0
        self._flags = 0

    def greeting(self) -> bytes:
        """The first bytes to send."""
        return greeting.compose(self._mechanism.name, self._mechanism.as_server)

    def outgoing(self) -> bytes:
        """Take what the handshake and PINGs of the peer want sent now."""
        if not self._out:
            return b""
        taken = bytes(self._out)
        self._out.clear()
        if self._mechanism.accepted:
            self._refusable = False
        return taken

    def receive(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Take bytes of the peer, of which nothing is kept by reference.

        Raises `ProtocolError`; then the connection is dead, and `outgoing()` has the last words.
        """
        if self._stage:
            return self._receive_aside(data)
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < self._needed:
                return []
            data = bytes(rest)
            rest.clear()
        elif type(data) is not bytes:
            data = bytes(data)
        events: list[Event] = []
        try:
            self._parse(data, events)
        except ProtocolError as error:
            self._end()
            error.events = events
            raise
        return events

    def target(self) -> memoryview | None:
        """The room for the rest of a large body that is under way, to receive into; else None."""
        if self._stage != _BODY:
            return None
        return self._body[self._filled :]

    def filled(self, count: int) -> list[Event]:
        """Go on after `count` bytes were received into `target()`. Raises as `receive` does."""
        self._filled += count
        if self._filled < len(self._body):
            return []
        events: list[Event] = []
        try:
            self._end_body(events)
        except ProtocolError as error:
            self._end()
            error.events = events
            raise
        return events

    @property
    def is_within_message(self) -> bool:
        """True while the peer has begun a message, or a frame, and not ended it."""
        return bool(self._frames or self._rest or self._stage == _BODY)

    def encode(self, frames: Sequence[Attachment]) -> list[Attachment]:
        """One message as buffers to send, in this order."""
        if self._sealed:
            return self._mechanism.seal(frames)
        return framing.join(frames)

    def ping(self, ttl: int, context: bytes = b"") -> bytes:
        """A PING to send. `ttl`: tenths of a second; `context`: up to 16 bytes to come back.

        Empty for a peer of ZMTP 3.0, which has no PING: libzmq 4.1 gives it to the application as
        a message.
        """
        if not self._pingable:
            return b""
        if len(context) > _CONTEXT:
            raise ValueError(f"The context of a PING has up to {_CONTEXT} bytes")
        return self._command(framing.named(b"PING", ttl.to_bytes(2, "big") + context))

    def error(self, reason: str) -> bytes:
        """Refuse the peer: an ERROR to send, and the connection is dead.

        It takes the place of what `outgoing()` had, and so of the answer that would have let the
        peer in. Empty if it comes too late, too early, or is not for this side to say.
        """
        self._stage = _OVER
        self._out.clear()
        told = self._refusable and (self._handshake is None or self._handshake.greeted)
        self._refusable = False
        return framing.command(commands.error(reason)) if told else b""

    def _command(self, body: bytes) -> bytes:
        return self._mechanism.seal_command(body) if self._sealed else framing.command(body)

    def _parse(self, data: bytes, events: list[Event]) -> None:
        """Take frames of traffic, and keep the start of one that is cut off."""
        frames, size = self._frames, self._size
        max_size, max_frame, max_frames = self._max_size, self._max_frame, self._max_frames
        unseal = self._mechanism.unseal if self._sealed else None
        self._commands = 0
        position, available = 0, len(data)
        while position < available:
            flags = data[position]
            if flags < LONG:  # a short frame of a message
                begin = position + 2
                if begin > available:
                    self._needed = 2
                    break
                end = begin + data[position + 1]
                if end > available:
                    self._needed = end - position
                    break
                position = end
                body: bytes | memoryview = data[begin:end]
                if unseal is not None:
                    flags, body = unseal(flags, body)
                    if flags & COMMAND:
                        self._obey(body, events)
                        continue
                count = len(body)
                size += count
                if size > max_size or count > max_frame or len(frames) == max_frames:
                    self._too_big(frames, size, count, events)
                    return
                frames.append(body)
                if not flags:
                    events.append(frames)
                    frames = []
                    size = 0
                continue
            _check_flags(flags)
            begin = position + (9 if flags & LONG else 2)
            if begin > available:
                self._needed = begin - position
                break
            end = begin + int.from_bytes(data[position + 1 : begin], "big")
            self._frames, self._size = frames, size
            if not self._admit(flags, end - begin, events):
                return
            if end - begin >= LARGE:
                if not self._begin_body(flags, end - begin, memoryview(data)[begin:end], events):
                    return
            elif end > available:
                self._needed = end - position
                break
            else:
                self._take(flags, data[begin:end], events)
            position = end
            frames, size = self._frames, self._size
        self._frames, self._size = frames, size
        if position < available:
            self._rest += data[position:]

    def _receive_aside(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Take what is no plain traffic: the handshake, a large body, what comes after the end."""
        if self._stage == _BODY:
            return self._fill(memoryview(data).cast("B"))
        if self._stage == _OVER:
            return []
        handshake = self._handshake
        assert handshake is not None
        try:
            ready = handshake.receive(data)
        except ProtocolError as error:
            last_words = self.error(error.reason)
            if not isinstance(error, Refused):
                self._out += last_words
            raise
        if ready is None:
            return []
        self.ready = True
        self._pingable = ready.version >= (3, 1)
        self._handshake = None
        self._stage = _TRAFFIC
        return self._and_receive([ready], handshake.rest)

    def _fill(self, data: memoryview) -> list[Event]:
        """Go on with a large body whose bytes were not received into `target()`."""
        count = min(len(data), len(self._body) - self._filled)
        self._body[self._filled : self._filled + count] = data[:count]
        return self._and_receive(self.filled(count), data[count:])

    def _and_receive(self, events: list[Event], data: bytearray | memoryview) -> list[Event]:
        if not data:
            return events
        try:
            return events + self.receive(data)
        except ProtocolError as error:
            error.events[:0] = events
            raise

    def _admit(self, flags: int, size: int, events: list[Event]) -> bool:
        """Check a frame before its body is stored; False: it is more than is taken."""
        if size >> 63:
            raise ProtocolError(f"the peer announced a frame of {size} bytes, which cannot be")
        if self._sealed:
            size = max(0, size - self._mechanism.overhead)
        elif flags & COMMAND:
            _check_command(size)
            return True
        if (
            self._size + size > self._max_size
            or size > self._max_frame
            or len(self._frames) == self._max_frames
        ):
            self._too_big(self._frames, self._size + size, size, events)
            return False
        return True

    def _begin_body(self, flags: int, size: int, start: memoryview, events: list[Event]) -> bool:
        """Make room for a large body. Tells whether all of it was there already."""
        try:
            self._body = self._storage.take(size)
        except OSError:
            self._too_big(self._frames, self._size + size, size, events)
            return False
        self._body[: len(start)] = start
        self._filled, self._flags = len(start), flags
        if len(start) < size:
            self._stage = _BODY
            return False
        self._end_body(events)
        return True

    def _end_body(self, events: list[Event]) -> None:
        body, self._body = self._body, memoryview(b"")
        self._stage = _TRAFFIC
        self._take(self._flags, body, events)

    def _take(self, flags: int, body: bytes | memoryview, events: list[Event]) -> None:
        """Take a frame that was admitted, with its whole body."""
        if self._sealed:
            flags, body = self._mechanism.unseal(flags, body)
        if flags & COMMAND:
            self._obey(body, events)
            return
        self._size += len(body)
        self._frames.append(body)
        if not flags & MORE:
            events.append(self._frames)
            self._frames = []
            self._size = 0

    def _obey(self, body: bytes | memoryview, events: list[Event]) -> None:
        """Take a command. libzmq sends them between frames of a message, and ignores unknown ones.

        What it does with a malformed one depends on its version; here it is a fault.
        """
        _check_command(len(body))
        self._commands += 1
        if self._commands > self._max_commands:
            raise ProtocolError(f"the peer sent more than {self._max_commands} commands at once")
        name, data = commands.split(bytes(body))
        if name == b"PING":
            if len(data) < 2:
                raise ProtocolError("the peer sent a PING without a time to live")
            context = data[2 : 2 + _CONTEXT]  # libzmq cuts it too
            self._out += self._command(framing.named(b"PONG", context))
            events.append(Ping(int.from_bytes(data[:2], "big"), context))
        elif name == b"PONG":
            events.append(Pong(data))

    def _too_big(self, frames: Message, size: int, last: int, events: list[Event]) -> None:
        """Refuse a message: `size` are its bytes, `last` those of the frame that is too much."""
        limit: int | None = None
        if len(frames) == self._max_frames:
            problem = f"it has more than {self._max_frames} frames"
        elif last > self._max_frame:
            problem, limit = f"it has a frame of {last} bytes", self._max_frame
        elif size > self._max_size:
            problem, limit = f"it has {size} bytes or more", self._max_size
        else:
            problem = f"it has {size} bytes or more, for which there is no memory"
        events.append(TooBig(frames, size, problem, limit))
        self._end()

    def _end(self) -> None:
        self._stage = _OVER
        self._frames = []
        self._body = memoryview(b"")


def _check_flags(flags: int) -> None:
    # libzmq looks at neither; RFC 37 has the reserved bits zero, and MORE of a command.
    if flags > 7 or (flags & COMMAND and flags & MORE):
        raise ProtocolError(f"the peer sent a frame with flags {flags:#x}")


def _check_command(size: int) -> None:
    if size > MOST:
        raise ProtocolError(f"the peer announced a command of {size} bytes; {MOST} are taken")
