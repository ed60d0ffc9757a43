"""The answer to a message that is too big."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pycom_plugins.transport_zmtp.engine import TooBig
from pycom_plugins.transport_zmtp.refusal import too_big


@pytest.mark.parametrize("frames", [[b""], [b"", b"CALL"], [b"a", b"b", b"", b"CALL", b"{}"]])
def test_return_address_comes_back_with_code_4(frames: list[Any]) -> None:
    *envelope, status, body = too_big(TooBig(frames, 1234))
    assert envelope == frames[: frames.index(b"") + 1]
    assert status == b"OK"
    told = json.loads(bytes(body))
    assert told["code"] == 4
    assert told["error"] == "The message is too big: it has 1234 bytes or more"


@pytest.mark.parametrize("frames", [[], [b"a"], [b"a", memoryview(b"b")]])
def test_without_a_return_address_there_is_no_answer(frames: list[Any]) -> None:
    assert too_big(TooBig(frames, 1234)) == []
