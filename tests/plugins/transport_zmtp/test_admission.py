"""Clients that say who they are, and those that may not stay."""

from __future__ import annotations

import logging

import pytest

from pycom_core import AccessDenied, logger
from pycom_core.keys import as_text
from pycom_core.messages import Peer
from pycom_plugins.transport_zmtp.admission import introduced, refusal
from pycom_plugins.transport_zmtp.engine import Ready

PEER = Peer("tcp://host:1")


def ready(key: bytes | None, **metadata: bytes) -> Ready:
    return Ready("DEALER", b"", metadata, key, (3, 1))


def test_peer_is_what_the_handshake_says() -> None:
    peer = introduced("tcp://host:1", ready(bytes(range(32)), mine="grün\xff".encode("latin-1")))
    assert (peer.address, peer.key) == ("tcp://host:1", as_text(bytes(range(32))))
    assert peer.metadata == {"mine": r"gr\xfcn\xff"}


def test_peer_without_a_key() -> None:
    assert introduced("tcp://host:1", ready(None)).key is None


def test_who_may_stay_is_told_nothing() -> None:
    seen = list[Peer]()
    assert refusal(seen.append, PEER) is None
    assert seen == [PEER]


@pytest.mark.parametrize(
    ("error", "told", "count"),
    [(AccessDenied("Not you"), "Not you", 0), (LookupError("a secret"), "Access denied", 1)],
)
def test_texts_of_unexpected_errors_stay_in_the_log(
    error: Exception, told: str, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    def admit(_: Peer) -> None:
        raise error

    assert refusal(admit, PEER) == told
    assert len([one for one in caplog.records if one.levelno == logging.ERROR]) == count


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("Nicht für dich", "Nicht für dich"),
        ("\x1b[31m\n2026 INFO", "'\\x1b[31m\\n2026 INFO'"),
        ("x" * 5000, "x" * 300),
    ],
)
def test_refusal_is_one_line_of_the_log(
    reason: str, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    def admit(_: Peer) -> None:
        raise AccessDenied(reason)

    caplog.set_level(logging.INFO, logger().name)
    assert refusal(admit, PEER) == reason
    [record] = caplog.records
    assert record.levelno == logging.INFO
    assert record.getMessage() == f"{PEER.address} is refused: {shown}"
