"""Feed the engine what no peer sends: `python fuzz.py --messages 10000000`.

Seeds and recordings are bent and given in pieces to connections of small limits. A connection may
raise `ProtocolError` and nothing else, and may keep no more than its limits; anything else is a
fault, printed with what was fed. Prints messages, faults and memory at the end.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

HERE = Path(__file__).parent
if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parents[1]))

from zmtp_peers import fixed_randomness, recorded_engine, recordings  # noqa: E402

from pycom_plugins.transport_zmtp.engine import (  # noqa: E402
    Connection,
    Event,
    Null,
    ProtocolError,
    TooBig,
)

MAX_SIZE, MAX_FRAMES = 100_000, 16
LIMITS = {"max_message_size": MAX_SIZE, "max_frames": MAX_FRAMES}
INTERESTING = (0, 1, 2, 3, 4, 6, 7, 8, 0x7F, 0x80, 0xFF)


@attrs.define
class Report:
    """The outcome of a run. A fault is an exception or a broken promise, and its bytes."""

    messages: int = 0
    connections: int = 0
    events: int = 0
    refused: int = 0
    faults: list[tuple[str, bytes]] = attrs.field(factory=list)


def seeds() -> list[bytes]:
    """The corpus: traffic of seeds, and messages of recordings."""
    lines = (HERE / "seeds.txt").read_text().splitlines()
    found = [bytes.fromhex(line.split(None, 1)[1]) for line in lines if line[:1] not in ("#", "")]
    dealer = Connection("DEALER", Null())
    for recording in recordings():
        if recording.mechanism == "NULL":
            engine = recorded_engine(recording.socket_type, recording.mechanism)
            events = engine.receive(recording.heard)
            found += [b"".join(dealer.encode(event)) for event in events if isinstance(event, list)]
    return found


def bent(data: bytes, corpus: list[bytes], rng: random.Random) -> bytes:
    """The bytes with a few faults, or none."""
    result = bytearray(data)
    for _ in range(rng.choice((0, 0, 0, 0, 1, 1, 2, 4))):
        at = rng.randrange(len(result) + 1)
        to = min(len(result), at + rng.choice((1, 1, 2, 8, 100)))
        kind = rng.randrange(6)
        if kind == 0 and at < len(result):
            result[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(result):
            result[at] = rng.choice(INTERESTING)
        elif kind == 2:
            del result[at:to]
        elif kind == 3:
            result[at:at] = result[at:to]
        elif kind == 4:
            result[at:at] = rng.randbytes(70_000 if rng.random() < 0.01 else rng.choice((1, 2, 9)))
        else:
            result[at:to] = rng.choice(corpus)
    return bytes(result)


def pieces(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """The bytes in pieces as a network may deliver them."""
    while data:
        size = rng.choice((1, 2, 3, 9, 64, len(data), len(data)))
        yield data[:size]
        data = data[size:]


def feed(connection: Connection, data: bytes) -> list[Event]:
    """Give a piece, into the room for a large body where there is one."""
    target = connection.target()
    if target is None:
        return connection.receive(data)
    count = min(len(target), len(data))
    target[:count] = data[:count]
    events = connection.filled(count)
    return events + connection.receive(data[count:]) if count < len(data) else events


def check(connection: Connection, events: list[Event]) -> None:
    """Raise AssertionError if more is kept than is allowed."""
    kept = sum(map(len, connection._frames))
    assert kept <= MAX_SIZE, kept
    assert len(connection._frames) <= MAX_FRAMES, len(connection._frames)
    assert len(connection._rest) < 64 * 1024 + 9, len(connection._rest)
    assert len(connection._body) <= MAX_SIZE + 33, len(connection._body)
    for event in events:
        if isinstance(event, list):
            assert 1 <= len(event) <= MAX_FRAMES, event
            assert sum(map(len, event)) <= MAX_SIZE


def greeted() -> Connection:
    """A connection without a mechanism that seals, ready for traffic."""
    dealer = Connection("DEALER", Null())
    router = Connection("ROUTER", Null(), as_server=True, **LIMITS)  # type: ignore[arg-type]
    router.receive(dealer.greeting())
    dealer.receive(router.greeting())
    router.receive(dealer.outgoing())
    router.outgoing()
    return router


class Fuzzer:
    """One run; the same seed makes the same run."""

    def __init__(self, seed: int) -> None:
        self.report = Report()
        self._rng = random.Random(seed)
        self._corpus = seeds()
        self._recordings = list(recordings())
        self._connection: Connection | None = None

    def run(self, messages: int) -> Report:
        with fixed_randomness():
            while self.report.messages < messages:
                self.report.messages += 1
                self._try(self._handshake if self._rng.random() < 0.01 else self._traffic)
        return self.report

    def _try(self, step: Callable[[], None]) -> None:
        self._fed = b""
        try:
            step()
        except ProtocolError:
            self.report.refused += 1
            self._connection = None
        except Exception as error:
            self.report.faults.append((repr(error), self._fed))
            self._connection = None

    def _handshake(self) -> None:
        recording = self._rng.choice(self._recordings)
        connection = recorded_engine(recording.socket_type, recording.mechanism, **LIMITS)
        self._feed(connection, bent(recording.heard[:700], self._corpus, self._rng))

    def _traffic(self) -> None:
        if self._connection is None:
            self._connection = greeted()
            self.report.connections += 1
        self._feed(self._connection, bent(self._rng.choice(self._corpus), self._corpus, self._rng))

    def _feed(self, connection: Connection, data: bytes) -> None:
        self._fed = data
        for piece in pieces(data, self._rng):
            events = feed(connection, piece)
            connection.outgoing()
            check(connection, events)
            self.report.events += len(events)
            if events and isinstance(events[-1], TooBig):
                self._connection = None
                return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    fuzzer = Fuzzer(arguments.seed)
    fuzzer.run(min(10_000, arguments.messages))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = fuzzer.run(arguments.messages)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{report.messages:,} messages on {report.connections:,} connections, "
        f"{report.events:,} events, {report.refused:,} refused, {len(report.faults)} faults; "
        f"memory {before / 1024:.1f} MiB at the start, {after / 1024:.1f} MiB at most"
    )
    for text, data in report.faults[:20]:
        print(text, data.hex())
    return bool(report.faults)


if __name__ == "__main__":
    sys.exit(main())
