"""The answer to a message that is too big."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pycom_plugins.transport_zmtp.engine import TooBig
from pycom_plugins.transport_zmtp.refusal import reason, too_big


@pytest.mark.parametrize(
    ("problem", "limit", "told"),
    [
        (
            "it has a frame of 1234 bytes",
            1000,
            "it has a frame of 1234 bytes, of which 1000 are taken (setting max_message_size). "
            "The connection ends",
        ),
        ("it has more than 3 frames", None, "it has more than 3 frames. The connection ends"),
    ],
)
def test_reason_names_the_limit_and_the_setting(problem: str, limit: int | None, told: str) -> None:
    assert reason(TooBig([], 1234, problem, limit)) == told


@pytest.mark.parametrize("frames", [[b""], [b"", b"CALL"], [b"a", b"b", b"", b"CALL", b"{}"]])
def test_return_address_comes_back_with_code_4(frames: list[Any]) -> None:
    *envelope, status, body = too_big(TooBig(frames, 1234, "", None), "it has too much")
    assert envelope == frames[: frames.index(b"") + 1]
    assert status == b"OK"
    told = json.loads(bytes(body))
    assert told["code"] == 4
    assert told["error"] == "The message is too big: it has too much"


@pytest.mark.parametrize("frames", [[], [b"a"], [b"a", memoryview(b"b")]])
def test_without_a_return_address_there_is_no_answer(frames: list[Any]) -> None:
    assert too_big(TooBig(frames, 1234, "", None), "it has too much") == []
