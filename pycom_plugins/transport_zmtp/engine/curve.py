"""The mechanism CURVE: peers prove their keys, traffic is encrypted (RFC 26, RFC 25).

In the comments: C, S are the long-term keys of client and server, C', S' those of the connection,
and Box[x](A->B) is x, boxed by A for B. Small letters are secret keys.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import ClassVar

from nacl import bindings
from nacl.exceptions import CryptoError

from pycom_core.messages import Attachment
from pycom_plugins.transport_zmtp.engine import commands, properties
from pycom_plugins.transport_zmtp.engine.errors import ProtocolError
from pycom_plugins.transport_zmtp.engine.framing import COMMAND, LARGE, MORE, flat, header, named
from pycom_plugins.transport_zmtp.engine.mechanism import Mechanism

_KEY, _BOX = 32, bindings.crypto_secretbox_MACBYTES
_VERSION = b"\x01\x00"
_PADDING = bytes(72)
_HELLO = len(_VERSION) + len(_PADDING) + _KEY + 8 + _BOX + 64
_COOKIE = 16 + _BOX + 2 * _KEY
_WELCOME = 16 + _BOX + _KEY + _COOKIE
_VOUCH = 16 + _BOX + 2 * _KEY
_MESSAGE = named(b"MESSAGE")
_HEAD = len(_MESSAGE) + 8
_HEADS = [bytes((0, size)) + _MESSAGE for size in range(256)]
_FLAGS = (0, MORE, COMMAND)


class _Curve(Mechanism):
    """The work of both sides: short nonces that only rise, and boxes for the frames of traffic."""

    name = "CURVE"
    overhead: ClassVar[int] = _HEAD + _BOX + 1

    def __init__(self, public: bytes, secret: bytes) -> None:
        self._public = _checked(public)
        self._secret = _checked(secret)
        self._shared = b""
        self._sent = 0
        self._seen = 0

    def begin(self, metadata: bytes, as_server: bool) -> Sequence[bytes]:
        """Keep the metadata for the command that hides it."""
        self._metadata = metadata
        return ()

    def seal(self, frames: Sequence[Attachment]) -> list[Attachment]:
        """Each frame as a MESSAGE command, which travels in a frame without flags."""
        pieces: list[bytes] = []
        flag, last = b"\x01", len(frames) - 1
        for index, frame in enumerate(frames):
            if index == last:
                flag = b"\x00"
            if type(frame) is memoryview:
                frame = flat(frame)
            self._seal(flag + frame, pieces)
        return [b"".join(pieces)]

    def seal_command(self, body: bytes) -> bytes:
        """The command as a MESSAGE command. RFC 26 has no flag for it; libzmq's is the second."""
        pieces: list[bytes] = []
        self._seal(b"\x02" + body, pieces)
        return b"".join(pieces)

    def _seal(self, plain: bytes, pieces: list[bytes]) -> None:
        self._sent += 1
        nonce = self._sent.to_bytes(8, "big")
        box = bindings.crypto_box_afternm(plain, self._outward + nonce, self._shared)
        size = len(box) + _HEAD
        pieces += _HEADS[size] if size < 256 else header(0, size) + _MESSAGE, nonce, box

    def unseal(self, flags: int, body: bytes | memoryview) -> tuple[int, bytes | memoryview]:
        """Take a MESSAGE command. Of the outer flags, which nothing protects, MORE is a fault."""
        if type(body) is not bytes:
            body = bytes(body)
        if flags & MORE or len(body) < self.overhead or not body.startswith(_MESSAGE):
            raise ProtocolError(f"the peer sent flags {flags:#x}, {body[:8]!r} where all is sealed")
        nonce = body[8:_HEAD]
        self._check_nonce(nonce)
        try:
            plain = bindings.crypto_box_open_afternm(
                body[_HEAD:], self._inward + nonce, self._shared
            )
        except CryptoError:
            raise _closed("MESSAGE") from None
        flags = plain[0]
        if flags > 2:
            raise ProtocolError(f"the peer sealed a frame with flags {flags:#x}")
        return _FLAGS[flags], plain[1:] if len(plain) <= LARGE else memoryview(plain)[1:]

    _outward: bytes
    _inward: bytes

    def _box(self, plain: bytes, nonce: bytes) -> bytes:
        return bindings.crypto_box_afternm(plain, nonce, self._shared)

    def _unbox(self, what: str, box: bytes, nonce: bytes) -> bytes:
        try:
            return bindings.crypto_box_open_afternm(box, nonce, self._shared)
        except CryptoError:
            raise _closed(what) from None

    def _next_nonce(self) -> bytes:
        self._sent += 1
        return self._sent.to_bytes(8, "big")

    def _check_nonce(self, nonce: bytes) -> None:
        number = int.from_bytes(nonce, "big")
        if number <= self._seen:
            raise ProtocolError(f"the peer used the nonce {number} after {self._seen}")
        self._seen = number


class CurveServer(_Curve):
    """The side whose key the other knows. `public`, `secret`: 32 bytes each.

    It lets in whoever knows `public`; `Ready.key` says who that is. Between HELLO and INITIATE it
    keeps the key of the cookie alone.
    """

    as_server = True
    _outward = b"CurveZMQMESSAGES"
    _inward = b"CurveZMQMESSAGEC"
    _cookie_key: bytes | None = None

    def step(self, command: bytes) -> Sequence[bytes]:
        """HELLO, then INITIATE."""
        name, data = commands.split(command)
        if name == b"HELLO" and self._cookie_key is None:
            return (self._welcome(data),)
        if name == b"INITIATE" and self._cookie_key is not None:
            return (self._ready(data, self._cookie_key),)
        raise commands.unexpected(name, data)

    def _welcome(self, hello: bytes) -> bytes:
        """Answer HELLO: version, zeros, C', short nonce, Box[zeros](C'->S)."""
        if len(hello) != _HELLO or not hello.startswith(_VERSION + _PADDING):
            raise ProtocolError("the peer sent a malformed HELLO, or one of a newer CURVE")
        client, nonce, box = _cut(hello[len(_VERSION + _PADDING) :], _KEY, 8)
        self._check_nonce(nonce)
        try:
            bindings.crypto_box_open(box, b"CurveZMQHELLO---" + nonce, client, self._secret)
        except CryptoError:
            raise ProtocolError("the HELLO is for another key than this server's") from None
        public, secret = bindings.crypto_box_keypair()
        self._cookie_key = os.urandom(_KEY)
        nonce = os.urandom(16)
        cookie = nonce + bindings.crypto_secretbox(
            client + secret, b"COOKIE--" + nonce, self._cookie_key
        )
        nonce = os.urandom(16)
        box = bindings.crypto_box(public + cookie, b"WELCOME-" + nonce, client, self._secret)
        return named(b"WELCOME", nonce + box)

    def _ready(self, initiate: bytes, cookie_key: bytes) -> bytes:
        """Answer INITIATE: cookie, short nonce, Box[C + vouch + metadata](C'->S')."""
        if len(initiate) < _COOKIE + 8 + _BOX + _KEY + _VOUCH:
            raise ProtocolError("the peer sent a malformed INITIATE")
        long_nonce, cookie, nonce, box = _cut(initiate, 16, _COOKIE - 16, 8)
        self._check_nonce(nonce)
        try:
            kept = bindings.crypto_secretbox_open(cookie, b"COOKIE--" + long_nonce, cookie_key)
        except CryptoError:
            raise _closed("cookie") from None
        client, secret = _cut(kept, _KEY)
        self._shared = bindings.crypto_box_beforenm(client, secret)
        plain = self._unbox("INITIATE", box, b"CurveZMQINITIATE" + nonce)
        key, long_nonce, vouch, metadata = _cut(plain, _KEY, 16, _VOUCH - 16)
        # The vouch is Box[C' + S](C->S'): the owner of C means this connection to this server.
        if _open("vouch", vouch, b"VOUCH---" + long_nonce, key, secret) != client + self._public:
            raise ProtocolError("the peer's vouch is for another connection or another server")
        self.properties = properties.decode(metadata)
        self.key = key
        self.accepted = True
        nonce = self._next_nonce()
        return named(b"READY", nonce + self._box(self._metadata, b"CurveZMQREADY---" + nonce))


class CurveClient(_Curve):
    """The side that knows the key of the other. All keys: 32 bytes each."""

    may_refuse = False
    _outward = b"CurveZMQMESSAGEC"
    _inward = b"CurveZMQMESSAGES"

    def __init__(self, server_public: bytes, public: bytes, secret: bytes) -> None:
        super().__init__(public, secret)
        self._server = _checked(server_public)

    def begin(self, metadata: bytes, as_server: bool) -> Sequence[bytes]:
        """Send HELLO, with zeros that make it longer than its answer."""
        self._metadata = metadata
        self._own, self._own_secret = bindings.crypto_box_keypair()
        nonce = self._next_nonce()
        shared = _shared_key("key", self._server, self._own_secret)
        box = bindings.crypto_box_afternm(bytes(64), b"CurveZMQHELLO---" + nonce, shared)
        return (named(b"HELLO", _VERSION + _PADDING + self._own + nonce + box),)

    def step(self, command: bytes) -> Sequence[bytes]:
        """WELCOME, then READY."""
        name, data = commands.split(command)
        if name == b"WELCOME" and not self._shared:
            return (self._initiate(data),)
        if name == b"READY" and self._shared:
            self._take_ready(data)
            return ()
        raise commands.unexpected(name, data)

    def _initiate(self, welcome: bytes) -> bytes:
        """Answer WELCOME: long nonce, Box[S' + cookie](S->C')."""
        if len(welcome) != _WELCOME:
            raise ProtocolError("the peer sent a malformed WELCOME")
        nonce, box = _cut(welcome, 16)
        plain = _open("WELCOME", box, b"WELCOME-" + nonce, self._server, self._own_secret)
        server, cookie = _cut(plain, _KEY)
        self._shared = _shared_key("WELCOME", server, self._own_secret)
        nonce = os.urandom(16)
        vouch = nonce + bindings.crypto_box(
            self._own + self._server, b"VOUCH---" + nonce, server, self._secret
        )
        nonce = self._next_nonce()
        plain = self._public + vouch + self._metadata
        return named(b"INITIATE", cookie + nonce + self._box(plain, b"CurveZMQINITIATE" + nonce))

    def _take_ready(self, ready: bytes) -> None:
        """READY: short nonce, Box[metadata](S'->C')."""
        nonce, box = _cut(ready, 8)
        if len(box) < _BOX:
            raise ProtocolError("the peer sent a malformed READY")
        self._check_nonce(nonce)
        self.properties = properties.decode(self._unbox("READY", box, b"CurveZMQREADY---" + nonce))
        self.key = self._server


def _checked(key: bytes) -> bytes:
    if len(key) != _KEY:
        raise ValueError(f"A key of CURVE has {_KEY} bytes, not {len(key)}")
    return bytes(key)


def _cut(data: bytes, *sizes: int) -> list[bytes]:
    """Parts of these sizes, and what is left."""
    parts, position = [], 0
    for size in sizes:
        parts.append(data[position : position + size])
        position += size
    return [*parts, data[position:]]


def _open(what: str, box: bytes, nonce: bytes, public: bytes, secret: bytes) -> bytes:
    try:
        return bindings.crypto_box_open(box, nonce, public, secret)
    except CryptoError:
        raise _closed(what) from None


def _shared_key(what: str, public: bytes, secret: bytes) -> bytes:
    try:
        return bindings.crypto_box_beforenm(public, secret)
    except CryptoError:
        raise _closed(what) from None


def _closed(what: str) -> ProtocolError:
    return ProtocolError(f"the peer's {what} does not open with the keys in use")
